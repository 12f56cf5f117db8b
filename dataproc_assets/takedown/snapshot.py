"""What the storage holds, by digest: before and after, it tells every artefact that changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from dataproc_assets.release.manifest import object_sha256, parse_manifest
from dataproc_assets.storage.objects import ObjectStore

THREADS = 8
LEFT_OUT = ("ledger/", "receipts/")
PUBLISHED = ("releases/", "latents/", "denoisers/")

Seen = Callable[[int], None]


@dataclass(frozen=True)
class Change:
    """An artefact and its SHA-256 (hex) before and after; None where it was not there."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Snapshot:
    """Of every object but ledgers and receipts: its version on storage, and its SHA-256."""

    versions: dict[str, str]
    digests: dict[str, str]

    def to_json(self) -> bytes:
        """For `parse`, in another process."""
        return json.dumps([self.versions, self.digests], sort_keys=True).encode()

    @classmethod
    def parse(cls, data: bytes) -> "Snapshot":
        """From what `to_json` gave."""
        return cls(*json.loads(data))


def snapshot(
    store: ObjectStore, before: Snapshot | None = None, seen: Seen = lambda _: None
) -> Snapshot:
    """Read every artefact once; of a published folder, the digests that its manifest names.

    Args:
        before: an earlier one, whose digests are taken where an object is of the same version.
        seen: told how many more objects are done.
    """
    listing = store.list()
    mine = pl.all_horizontal(~pl.col("path").str.starts_with(prefix) for prefix in LEFT_OUT)
    rows = listing.filter(mine).select("path", "version", "size")
    versions = dict(rows.select("path", "version").iter_rows())
    known = _published(store, list(versions))
    if before is not None:
        same = {p for p, version in versions.items() if before.versions.get(p) == version}
        known |= {path: before.digests[path] for path in same}
    left = [(path, size) for path, _, size in rows.iter_rows() if path not in known]
    seen(len(versions) - len(left))

    def one(place: tuple[str, int]) -> tuple[str, str]:
        digest = object_sha256(store, *place)
        seen(1)
        return place[0], digest

    with ThreadPoolExecutor(THREADS, "snapshot") as pool:
        read = dict(pool.map(one, left))
    return Snapshot(versions, {path: (known | read)[path] for path in sorted(versions)})


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """Every artefact whose bytes are not what they were, by path."""
    paths = sorted(before.digests.keys() | after.digests.keys())
    both = [Change(p, before.digests.get(p), after.digests.get(p)) for p in paths]
    return [change for change in both if change.before != change.after]


def _published(store: ObjectStore, paths: list[str]) -> dict[str, str]:
    """The digests that manifests of releases, latents and denoisers name."""
    found = {}
    for path in paths:
        if path.startswith(PUBLISHED) and path.count("/") == 2 and path.endswith("/manifest.json"):
            manifest = parse_manifest(store.get(path))
            found |= {f"{manifest.root}/{name}": e.sha256 for name, e in manifest.files.items()}
    there = set(paths)
    return {path: digest for path, digest in found.items() if path in there}
