"""Signed revocations: images of published releases that must no longer be used.

A revocation is a file `ledger/revocations/{digest}.json`, which is never rewritten.
It names images and the SHA-256 of their bytes, and no key, artist, URL or reason.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date as calendar_date
from functools import cached_property
from typing import Any

import polars as pl
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dataproc_assets.release.signing import PrivateKey, public_hex
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.layout import revocations_path
from dataproc_assets.storage.objects import ObjectStore

FORMAT = 1
PURPOSE = b"dataproc_assets revocation\n"  # what is signed here is nothing else by chance
NAME = re.compile(r"[0-9a-f]{64}\.json")
IMAGES = pl.Schema({"image_id": pl.String, "sha256": pl.String})
HEX = re.compile(r"[0-9a-f]{64}")


class RevocationError(Exception):
    """A revocation cannot be trusted, or none can be made; the message has the next step."""


@dataclass(frozen=True)
class Revocation:
    """A file of the storage root: its path, its digest, and how many images it names."""

    path: str
    digest: str
    images: int


@dataclass(frozen=True)
class Revoked:
    """All images that are revoked. Their bytes count: `sha256s`, wherever they are found.

    An id alone does not: a cluster keeps its id where another member takes the place of the one
    that was taken down.

    Attributes:
        image_ids: the ids that the images had in releases.
        dates: when each SHA-256 was first revoked, ISO 8601.
        files: the revocations' bytes by path below the storage root.
        unknown: SHA-256 of images that a key revoked which is not trusted, with what a person is
            told where rows hold one: then nobody can know whether it may be used.
    """

    image_ids: frozenset[str] = frozenset()
    dates: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)

    @cached_property
    def sha256s(self) -> frozenset[str]:
        """The SHA-256 (hex) of the images' bytes."""
        return frozenset(self.dates)

    def __bool__(self) -> bool:
        return bool(self.dates or self.unknown)

    def among(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The revoked ones of rows that have a `sha256`. Raises RevocationError for `unknown`."""
        self._require_known(rows)
        return rows.filter(pl.col("sha256").is_in(sorted(self.sha256s)))

    def without(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The other ones. Raises RevocationError for `unknown`."""
        self._require_known(rows)
        return rows.filter(~pl.col("sha256").is_in(sorted(self.sha256s)))

    def _require_known(self, rows: pl.DataFrame) -> None:
        hits = rows.filter(pl.col("sha256").is_in(sorted(self.unknown)))["sha256"]
        for sha256 in hits.sort().head(1):
            raise RevocationError(self.unknown[sha256])

    def date_of(self, sha256s: Collection[str]) -> str:
        """The day on which the last of some of these images was revoked."""
        return max(self.dates[sha256] for sha256 in sha256s)


def revoke(
    store: ObjectStore,
    images: pl.DataFrame,
    date: str,
    key: PrivateKey,
    *,
    trusted: Collection[str],
) -> Revocation | None:
    """Append a revocation of the images that none names yet; None where all are revoked.

    The same images, date and key give the same bytes, and so the same file.

    Args:
        images: image_id and `sha256` of the image's bytes.
        date: ISO 8601.
        trusted: the public keys of conf/takedown.yaml, of which `key` must be one.

    Raises RevocationError where no key or another one is configured, or where a revocation that
    is there cannot be trusted.
    """
    mine = public_hex(key)
    if mine not in trusted:
        what = "names no key" if not trusted else "does not name this one"
        raise RevocationError(
            f"the public key of the signing key is {mine}, and conf/takedown.yaml {what}: add it "
            "to public_keys there, so that readers of releases know whom to trust"
        )
    calendar_date.fromisoformat(date)
    known = [row for _, value in _strict(store, trusted) for row in value["images"]]
    there = pl.DataFrame(known, schema=IMAGES, orient="row")
    new = images.select(IMAGES.names()).unique().join(there, on=IMAGES.names(), how="anti")
    if new.is_empty():
        return None
    rows = new.sort(IMAGES.names()).to_dicts()
    content = {"format": FORMAT, "date": date, "images": rows, "public_key": mine}
    digest = json_digest(content)
    signed = content | {"signature": key.sign(_message(content)).hex()}
    path = f"{revocations_path()}/{digest}.json"
    store.put_new(path, _to_json(signed))
    return Revocation(path, digest, len(rows))


def read_revocations(store: ObjectStore, trusted: Collection[str] = ()) -> Revoked:
    """All that is revoked in a storage root, or in a folder that a release was fetched to.

    Args:
        trusted: public keys, in hex. Where there are none, as for a release that was published
            before its team had a key, a revocation is honoured whose signature fits the key that
            it names itself: whoever can write there can then revoke, and nothing else.

    Raises RevocationError, naming the file, for one that is forged, changed or unreadable: no
    revocation is ever passed over.
    """
    for _ in _strict(store, trusted):
        pass
    return revocations_for(store, trusted)


def revocations_for(store: ObjectStore, trusted: Collection[str]) -> Revoked:
    """As `read_revocations`, for a reader of one release, who trusts the keys that it names.

    A revocation by another key, such as the one that took the place of those, is no matter for a
    release that holds none of its images, and `unknown` to one that does.

    Raises RevocationError, naming the file, for one that is changed or unreadable.
    """
    ids: set[str] = set()
    dates: dict[str, str] = {}
    files: dict[str, bytes] = {}
    unknown: dict[str, str] = {}
    for path, value in _files(store):
        files[path] = _to_json(value)
        if trusted and value["public_key"] not in trusted:
            unknown |= {row["sha256"]: _stranger(store, path, value) for row in value["images"]}
            continue
        for row in value["images"]:
            ids.add(row["image_id"])
            sha256 = row["sha256"]
            dates[sha256] = min(dates.get(sha256, value["date"]), value["date"])
    unknown = {sha256: told for sha256, told in unknown.items() if sha256 not in dates}
    return Revoked(frozenset(ids), dict(sorted(dates.items())), files, unknown)


def _strict(store: ObjectStore, trusted: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """As `_files`. Raises RevocationError where one is signed by a key that is not trusted."""
    for path, value in _files(store):
        if trusted and value["public_key"] not in trusted:
            raise RevocationError(_stranger(store, path, value))
        yield path, value


def _stranger(store: ObjectStore, path: str, value: dict[str, Any]) -> str:
    return (
        f"{store.uri(path)} is signed by the key {value['public_key']}, which neither "
        "conf/takedown.yaml nor the release names: find out who wrote it; add the key to "
        "public_keys if it is your team's, else remove the file"
    )


def _files(store: ObjectStore) -> Iterator[tuple[str, dict[str, Any]]]:
    """The path and the content of each revocation as it was signed, by path."""
    for path in store.list(revocations_path())["path"]:
        data = store.get(path)
        try:
            value = _verified(path.rpartition("/")[2], data)
        except (ValueError, KeyError, TypeError, InvalidSignature):
            raise RevocationError(
                f"{store.uri(path)} is not a revocation as it was signed: restore it from a copy; "
                "until then nothing that reads releases can know what was revoked"
            ) from None
        yield path, value


def _verified(name: str, data: bytes) -> dict[str, Any]:
    """What a file says. Raises ValueError, KeyError, TypeError, InvalidSignature."""
    value = json.loads(data)
    content = {key: value[key] for key in ("format", "date", "images", "public_key")}
    if not NAME.fullmatch(name) or name != f"{json_digest(content)}.json":
        raise ValueError("another name than its content has")
    if content["format"] != FORMAT or data != _to_json(value):
        raise ValueError("another form than this code writes")
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(content["public_key"]))
    public.verify(bytes.fromhex(value["signature"]), _message(content))
    calendar_date.fromisoformat(content["date"])
    if not all(HEX.fullmatch(row["sha256"]) and row["image_id"] for row in content["images"]):
        raise ValueError("an image without id and hash")
    return value


def _message(content: dict[str, Any]) -> bytes:
    return PURPOSE + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _to_json(value: dict[str, Any]) -> bytes:
    return f"{json.dumps(value, indent=1, sort_keys=True)}\n".encode()
