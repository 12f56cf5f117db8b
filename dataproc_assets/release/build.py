"""Writing a folder that becomes visible all at once, and goes on where a killed run stopped.

Files go to `{folder}/{digest}/…`, where no reader looks before `{folder}/manifest.json` names that
folder; the manifest is created last, by one atomic write that fails where there is one. Runs of
other content therefore never meet, and a run of the same content takes over what is there: a file
counts as written when its mark, `{folder}/.marks/{digest}/…`, is there and its bytes agree.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dataproc_assets.release.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    object_sha256,
    read_manifest,
    verify_folder,
)
from dataproc_assets.release.tars import Written
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore


class ReleaseExistsError(Exception):
    """The name stands for other content already."""


class ReleaseDamagedError(Exception):
    """A published folder is no longer what its manifest says."""


@dataclass(frozen=True)
class Published:
    """A published folder: its digest, its manifest, and whether this call made it."""

    digest: str
    created: bool
    manifest: Manifest


class Build:
    """The files of one digest, on their way into one folder."""

    def __init__(self, store: ObjectStore, folder: str, digest: str) -> None:
        self.store = store
        self.folder = folder
        self.root = f"{folder}/{digest[:16]}"
        self.files: dict[str, FileEntry] = {}
        self._marks = f"{folder}/.marks/{digest[:16]}"

    def write(self, path: str, data: bytes, rows: int | None = None) -> None:
        """Write a small file."""
        self.store.put(f"{self.root}/{path}", data)
        self.files[path] = FileEntry(bytes_digest(data), len(data), rows)

    def write_file(self, path: str, make: Callable[[Path], Written]) -> None:
        """Write a large file, made on local disk by `make`, unless an earlier run wrote it."""
        done = self._done(path)
        if done is None:
            with self.store.making(f"{self.root}/{path}", f"{self.folder}/.making") as local:
                written = make(local)
            done = FileEntry(written.sha256, written.size, written.rows)
            self.store.put(f"{self._marks}/{path}.json", json.dumps(asdict(done)).encode())
        self.files[path] = done

    def commit(self, manifest: Manifest) -> bool:
        """Make the folder visible; False where another manifest was there first.

        What killed runs left in the folder is removed.
        """
        created = self.store.put_new(f"{self.folder}/{MANIFEST}", manifest.to_json())
        clean(self.store, self.folder)
        return created

    def _done(self, path: str) -> FileEntry | None:
        try:
            entry = FileEntry(**json.loads(self.store.get(f"{self._marks}/{path}.json")))
            full = f"{self.root}/{path}"
            same = self.store.size(full) == entry.size
            same = same and object_sha256(self.store, full, entry.size) == entry.sha256
        except FileNotFoundError:
            return None
        return entry if same else None


def publish_once(
    store: ObjectStore,
    folder: str,
    digest: str,
    fill: Callable[[Build], Manifest],
    conflict: Callable[[Manifest], str],
) -> Published:
    """Fill a folder and commit it, or verify the one of the same digest that is there.

    Args:
        fill: writes all files and returns their manifest.
        conflict: what a person is told about a manifest of another digest.

    Raises:
        ReleaseExistsError: the folder is published with another digest.
        ReleaseDamagedError: it is published with this digest, but its files are not intact.
    """
    existing = read_manifest(store, folder)
    if existing is None:
        build = Build(store, folder, digest)
        try:
            manifest = fill(build)
            if build.commit(manifest):
                return Published(digest, True, manifest)
        except FileNotFoundError:  # another run has published, and removed what this one began
            if read_manifest(store, folder) is None:
                raise
            clean(store, folder)  # what this one wrote since
        existing = read_manifest(store, folder)
    assert existing is not None
    if existing.digest != digest:
        raise ReleaseExistsError(conflict(existing))
    problems = verify_folder(store, folder)
    if problems:
        raise ReleaseDamagedError(
            f"{store.uri(folder)} is damaged:\n"
            + "\n".join(f"- {problem}" for problem in problems)
            + "\nRestore these files from a copy or an older version of the bucket's objects."
        )
    return Published(digest, False, existing)


def clean(store: ObjectStore, folder: str) -> list[str]:
    """Remove what is not of the published manifest from a folder; returns the paths removed.

    Nothing is removed where nothing is published: it may be a run that is still at work.
    """
    manifest = read_manifest(store, folder)
    if manifest is None:
        return []
    kept = f"{manifest.root}/"
    paths = [path for path in store.list(folder)["path"] if not path.startswith(kept)]
    left = [path for path in paths if path != f"{folder}/{MANIFEST}"]
    for path in left:
        store.delete(path)
    return left
