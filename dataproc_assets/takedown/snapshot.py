"""What the storage holds, by digest: before and after, it tells every artefact that changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from dataproc_assets.release.manifest import object_sha256, parse_manifest
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import done_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import MANIFEST, ChangedFileError, parse_info

THREADS = 8
LEFT_OUT = ("ledger/", "receipts/", "units/scrubbed/")
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
    """Of every object but those LEFT_OUT: its version on storage, and its SHA-256."""

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
    """The digest of every artefact: the one that its manifest or done mark names, else it is read.

    What such a file says counts where the artefact has the size that it tells.

    Args:
        before: an earlier one, whose digests are taken where an object is of the same version.
        seen: told how many more objects are done.
    """
    listing = store.list()
    mine = pl.all_horizontal(~pl.col("path").str.starts_with(prefix) for prefix in LEFT_OUT)
    rows = listing.filter(mine).select("path", "version", "size")
    versions = dict(rows.select("path", "version").iter_rows())
    sizes = dict(rows.select("path", "size").iter_rows())
    named = _published(store, list(versions)) | _tables(store, sizes)
    known = {path: digest for path, digest in named.items() if path in sizes}
    if before is not None:
        same = {p for p, version in versions.items() if before.versions.get(p) == version}
        known |= {path: before.digests[path] for path in same}
    left = [path for path in sizes if path not in known]
    seen(len(versions) - len(left))
    parts = {mark: path for path in left if (mark := _mark(path)) in sizes}
    told = set(parts.values())

    def read(path: str) -> dict[str, str]:
        if part := parts.get(path):
            found = _mark_and_part(store, path, part, sizes[part])
        else:
            found = {path: object_sha256(store, path, sizes[path])}
        seen(len(found))
        return found

    jobs = sorted({*left} - told | parts.keys())
    with ThreadPoolExecutor(THREADS, "snapshot") as pool:
        for found in pool.map(read, jobs):
            known |= found
    return Snapshot(versions, {path: known[path] for path in sorted(versions)})


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
    return found


def _tables(store: ObjectStore, sizes: dict[str, int]) -> dict[str, str]:
    """The digests that manifests of stage tables name, of the files that have their sizes."""
    found = {}
    for path in sizes:
        folder, _, name = path.rpartition("/")
        if path.startswith("stages/") and name == MANIFEST:
            try:
                buckets = parse_info(store, folder, store.get(path)).buckets
            except ChangedFileError:
                continue
            files = [(f"{folder}/{bucket.file}", bucket) for bucket in buckets]
            found |= {file: b.sha256 for file, b in files if sizes.get(file) == b.bytes}
    return found


def _mark(path: str) -> str:
    """Where the done mark of a part would be; empty of what is no part."""
    return done_path(path) if path.endswith(".parquet") else ""


def _mark_and_part(store: ObjectStore, mark: str, part: str, size: int) -> dict[str, str]:
    """The digests of a done mark and of its part, which is read where the mark does not tell it."""
    data = store.get(mark)
    try:
        about = json.loads(data)
        digest = about.get("sha256") if about.get("bytes") == size else None
    except (ValueError, AttributeError):  # it was changed, and is an artefact all the same
        digest = None
    return {mark: bytes_digest(data), part: digest or object_sha256(store, part, size)}
