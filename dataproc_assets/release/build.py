"""Writing a folder that becomes visible all at once, and goes on where a killed run stopped.

Files go to `{folder}/{root}/…`, where no reader looks before `{folder}/manifest.json` names that
folder; the manifest is created last, by one atomic write that fails where there is one. The root's
name is of the content and of the code that writes it, so that runs of other content, or that would
write the same content in other bytes, never meet. A run of the same takes over what is there: a
file counts as written when its mark, `{folder}/.marks/{root}/…`, is there and its bytes agree.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from dataproc_assets.release.manifest import (
    MANIFEST,
    FileEntry,
    Manifest,
    object_sha256,
    read_manifest,
    verify_folder,
)
from dataproc_assets.release.tars import Written
from dataproc_assets.storage.copies import copy_object
from dataproc_assets.storage.digest import bytes_digest, json_digest
from dataproc_assets.storage.layout import WITHDRAWN
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

    def __init__(self, store: ObjectStore, folder: str, digest: str, code_version: str) -> None:
        self.store = store
        self.folder = folder
        name = json_digest([digest, code_version, pl.__version__])[:16]
        self.root = f"{folder}/{name}"
        self.digest, self.code_version = digest, code_version
        self.files: dict[str, FileEntry] = {}
        self._marks = f"{folder}/.marks/{name}"

    def write(self, path: str, data: bytes, rows: int | None = None) -> None:
        """Write a small file."""
        version = self.store.put(f"{self.root}/{path}", data)
        self.files[path] = FileEntry(bytes_digest(data), len(data), rows, version)

    def write_file(self, path: str, make: Callable[[Path], Written]) -> None:
        """Write a large file, made on local disk by `make`, unless an earlier run wrote it."""
        done = self._done(path)
        if done is None:
            with self.store.making(f"{self.root}/{path}", f"{self.folder}/.making") as made:
                written = make(made.path)
            done = FileEntry(written.sha256, written.size, written.rows, made.version)
            self._mark(path, done)
        self.files[path] = done

    def copy(self, path: str, source: str, entry: FileEntry) -> None:
        """Take over a file from elsewhere in the store, unless an earlier run did.

        Args:
            source: its path below the storage root.
            entry: what the manifest says of it that published it.
        """
        done = self._done(path)
        if done is None:
            beside = f"{self.folder}/.making"
            version = copy_object(self.store, source, f"{self.root}/{path}", beside)
            done = replace(entry, version=version)
            self._mark(path, done)
        self.files[path] = done

    def _mark(self, path: str, done: FileEntry) -> None:
        self.store.put(f"{self._marks}/{path}.json", json.dumps(asdict(done)).encode())

    def manifest(
        self,
        name: str,
        config: dict[str, Any],
        *,
        inputs: dict[str, str],
        counts: dict[str, Any],
        settings: dict[str, Any] | None = None,
        revokers: Iterable[str] = (),
        replaces: dict[str, str] | None = None,
    ) -> Manifest:
        """The manifest of the files that were written; see there what the arguments are."""
        return Manifest(
            name=name,
            root=self.root,
            digest=self.digest,
            config=config,
            config_digest=json_digest(config),
            inputs=inputs,
            code_version=self.code_version,
            counts=counts,
            files=dict(sorted(self.files.items())),
            settings=settings or {},
            revokers=list(revokers),
            replaces=replaces,
        )

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
    code_version: str,
    fill: Callable[[Build], Manifest],
    conflict: Callable[[Manifest], str],
) -> Published:
    """Fill a folder and commit it, or verify the one of the same digest that is there.

    Args:
        code_version: two runs of one digest write the same bytes where this is the same too.
        fill: writes all files and returns their manifest.
        conflict: what a person is told about a manifest of another digest.

    Raises:
        ReleaseExistsError: the folder is published with another digest.
        ReleaseDamagedError: it is published with this digest, but its files are not intact.
    """
    existing = read_manifest(store, folder)
    if existing is None:
        build = Build(store, folder, digest, code_version)
        try:
            manifest = fill(build)
            if build.commit(manifest):
                return Published(digest, True, manifest)
        except FileNotFoundError:  # another run has published, and removed what this one began
            if read_manifest(store, folder) is None:
                raise
        existing = read_manifest(store, folder)
    assert existing is not None
    clean(store, folder)  # what a run that was killed, or came late, has left
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

    What says that a release was withdrawn stays in any case; what writes that were killed left
    goes too. Nothing is removed where nothing is published: it may be a run that is still at work.
    """
    manifest = read_manifest(store, folder)
    if manifest is None:
        return []
    kept = f"{manifest.root}/"
    paths = [path for path in store.list(folder)["path"] if not path.startswith(kept)]
    left = [path for path in paths if path not in (f"{folder}/{MANIFEST}", f"{folder}/{WITHDRAWN}")]
    for path in left:
        store.delete(path)
    store.abandon(folder)
    return left
