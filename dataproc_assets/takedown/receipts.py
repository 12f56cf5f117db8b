"""Receipts: what was changed for which entries of the ledger, with digests before and after."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.layout import receipts_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.takedown.snapshot import Change

FORMAT = 1
SHOWN = 12  # artefacts of one folder in the text


class UnknownReceipt(LookupError):  # noqa: N818
    """There is no such receipt; the message names those that there are."""


@dataclass(frozen=True)
class Receipt:
    """What one takedown did.

    Attributes:
        id: 12 hex digits of what it did.
        applied: when, ISO 8601 in UTC.
        purged: whether published releases were rewritten and old versions deleted.
        entries: of the ledger, asked and followed, with their ids.
        images: `image_key`, `of`, `why`: what was found to be meant.
        revocation: the path of what readers of releases are told, where one was needed.
        releases: the published name and what took its place.
        artefacts: every file that changed, with its SHA-256 before and after.
        versions: old versions of objects that were deleted.
    """

    id: str
    applied: str
    purged: bool
    entries: list[dict[str, Any]]
    images: list[dict[str, Any]]
    revocation: str | None
    releases: dict[str, str]
    artefacts: list[Change]
    versions: int

    def to_json(self) -> bytes:
        """As it is stored."""
        text = json.dumps(
            {"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True, ensure_ascii=False
        )
        return f"{text}\n".encode()


def write_receipt(store: ObjectStore, **told: Any) -> Receipt:
    """Write a receipt of what is told, in the attributes of Receipt but `id`."""
    plain = {**told, "artefacts": [asdict(change) for change in told["artefacts"]]}
    receipt = Receipt(id=json_digest(plain)[:12], **told)
    store.put_new(f"{receipts_path()}/{receipt.id}.json", receipt.to_json())
    return receipt


def receipts(store: ObjectStore) -> list[Receipt]:
    """All receipts, the oldest first."""
    folder = receipts_path()
    paths = [p for p in store.list(folder)["path"] if p.count("/") == 1 and p.endswith(".json")]
    return sorted((_parse(store.get(path)) for path in paths), key=lambda r: (r.applied, r.id))


def find_receipt(store: ObjectStore, name: str) -> Receipt:
    """The receipt whose id, or one of whose entries' ids, begins so; the newest of several.

    Raises UnknownReceipt.
    """
    known = receipts(store)
    for receipt in reversed(known):
        ids = [receipt.id, *(entry["id"] for entry in receipt.entries)]
        if any(each.startswith(name) for each in ids):
            return receipt
    there = ", ".join(receipt.id for receipt in known) or "none"
    raise UnknownReceipt(f"no receipt {name!r}; there are {there}")


def receipt_lines(receipt: Receipt, *, files: bool = True) -> Iterator[str]:
    """A receipt as text, with every artefact or without."""
    what = "purged" if receipt.purged else "applied"
    yield f"receipt {receipt.id}, {what} {receipt.applied}"
    for entry in receipt.entries:
        if not entry["of"]:
            told = f": {entry['reason']}" if entry["reason"] else ""
            yield f"  {entry['id']}  {entry['date']}  {entry['kind']} {entry['value']}{told}"
            yield from (f"    {image}" for image in _images(receipt, entry["id"]))
    for old, new in sorted(receipt.releases.items()):
        yield f"  release {old} is withdrawn; {new} takes its place"
    if receipt.revocation:
        yield f"  revocation: {receipt.revocation}"
    if receipt.versions:
        yield f"  {receipt.versions} old versions of objects deleted"
    counts = Counter(_what(change) for change in receipt.artefacts)
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    yield f"  artefacts: {told or 'none changed'}"
    folders: dict[str, list[Change]] = {}
    for change in receipt.artefacts if files else ():
        parts = change.path.split("/")[:-1]
        folders.setdefault("/".join(parts[:2]), []).append(change)
    for folder, some in folders.items():
        yield f"  {folder}"
        for change in some[:SHOWN]:
            path = change.path.removeprefix(f"{folder}/")
            yield f"    {_short(change.before)} -> {_short(change.after)}  {path}"
        if len(some) > SHOWN:
            yield f"    and {len(some) - SHOWN} more; --json names them all"


def _images(receipt: Receipt, of: str) -> list[str]:
    return [
        f"{image['image_key']} ({image['why']})" for image in receipt.images if image["of"] == of
    ]


def _what(change: Change) -> str:
    if change.before is None:
        return "new"
    return "deleted" if change.after is None else "changed"


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "-" * 12


def _parse(data: bytes) -> Receipt:
    value = json.loads(data)
    del value["format"]
    return Receipt(**{**value, "artefacts": [Change(**change) for change in value["artefacts"]]})
