"""Bringing a release, or a past state of it, to a folder of this machine."""

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dataproc_assets.release.fetch_plan import FetchError, Plan
from dataproc_assets.release.manifest import MANIFEST, FileEntry
from dataproc_assets.storage.layout import release_path, revocations_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.writes import room

Seen = Callable[[int], None]
READ = 1 << 20  # bytes at a time, of a file that is there


@dataclass(frozen=True)
class Fetched:
    """How many files were brought, and how many were there already as they were published."""

    brought: int
    kept: int


def fetch(plan: Plan, folder: Path, *, threads: int = 8, seen: Seen = lambda _: None) -> Fetched:
    """Bring a release to a folder, which is then a storage root with that release alone.

    It is made beside itself and renamed when every byte is verified. Where the folder has this
    state already, what is missing or damaged comes back, and the rest is left alone. Whatever it
    has of releases, it learns what was revoked meanwhile.

    Args:
        folder: new, empty, or fetched before.
        threads: files at a time.
        seen: told how many more bytes of the files are done.

    Raises:
        FetchError: the state holds revoked images, the folder is of something else or in use, or
            a file is no longer to be had.
        WriteError: there is no room.
        ConnectionError: a file cannot be read; fetched again, it goes on from there.
    """
    folder = folder.absolute()
    there = folder.is_dir() and any(folder.iterdir())
    if there or folder.is_file():
        _tell(plan, folder)
        _require_same(plan, folder)
    if plan.refused is not None:
        raise FetchError(f"{plan.refused}; nothing was fetched")
    target = folder if there else folder.with_name(f".{folder.name}.fetching")
    with room(target):
        target.mkdir(parents=True, exist_ok=True)
        with _claimed(target, folder):
            brought = _bring_all(plan, target, threads, seen)
            for path, text in (plan.beside | plan.manifests()).items():
                _replace(target / path, text)
            if not there:
                _remove_others(plan, target)
                target.rename(folder)
    return Fetched(brought, len(plan.files()) - brought)


def _bring_all(plan: Plan, target: Path, threads: int, seen: Seen) -> int:
    lock, ended = threading.Lock(), threading.Event()

    def count(size: int) -> None:
        if ended.is_set():
            raise FetchError("ended by what happened to another file")
        with lock:
            seen(size)

    def one(path: str, entry: FileEntry) -> bool:
        return _bring(plan.store, path, entry, target / path, count)

    with ThreadPoolExecutor(threads, thread_name_prefix="fetch") as pool:
        files = [pool.submit(one, path, entry) for path, entry in plan.files().items()]
        try:
            wait(files, return_when=FIRST_EXCEPTION)
            for failed in (file for file in files if file.done() and file.exception()):
                failed.result()
            return sum(file.result() for file in files)
        except BaseException:
            ended.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _bring(store: ObjectStore, path: str, entry: FileEntry, local: Path, seen: Seen) -> bool:
    """Bring a file unless it is there; False when it was.

    The version that the manifest names comes first; the present object has the same bytes where
    the release was copied to another bucket.
    """
    if _intact(local, entry):
        seen(entry.size)
        return False
    local.parent.mkdir(parents=True, exist_ok=True)
    half = local.with_name(f".{local.name}.half")
    tried = dict.fromkeys([entry.version, None] if store.is_s3 else [None])
    try:
        for version in tried:
            digest = hashlib.sha256()
            try:
                pieces = store.stream(path, version=version)[1]
            except FileNotFoundError:
                continue
            with half.open("wb") as file:
                for piece in pieces:
                    digest.update(piece)
                    file.write(piece)
                    seen(0)
            if digest.hexdigest() == entry.sha256:
                half.replace(local)
                seen(entry.size)
                return True
    finally:
        half.unlink(missing_ok=True)
    raise FetchError(
        f"{store.uri(path)}: the bytes that were published are no longer there"
        + (f", neither now nor as version {entry.version}" if entry.version else "")
        + "; restore it from a copy"
    )


def _intact(local: Path, entry: FileEntry) -> bool:
    if not local.is_file() or local.stat().st_size != entry.size:
        return False
    digest = hashlib.sha256()
    with local.open("rb") as file:
        while piece := file.read(READ):
            digest.update(piece)
    return digest.hexdigest() == entry.sha256


def _replace(local: Path, data: bytes) -> None:
    local.parent.mkdir(parents=True, exist_ok=True)
    half = local.with_name(f".{local.name}.half")
    half.write_bytes(data)
    half.replace(local)


def _remove_others(plan: Plan, target: Path) -> None:
    """What a fetch of another state left is no part of this one."""
    known = {target / path for path in (*plan.files(), *plan.beside, *plan.manifests())}
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in known:
            path.unlink()


def _tell(plan: Plan, folder: Path) -> None:
    """Bring the revocations to a folder that has a release, whichever: its readers look there."""
    if not any((folder / release_path("")).glob(f"*/{MANIFEST}")):
        return
    with room(folder), _claimed(folder, folder):
        for path, data in plan.beside.items():
            if path.startswith(f"{revocations_path()}/"):
                _replace(folder / path, data)


def _require_same(plan: Plan, folder: Path) -> None:
    """A folder that is in use may only be of this state."""
    manifest = folder / f"{release_path(plan.release.manifest.name)}/{MANIFEST}"
    told = [each for each in plan.withdrawn if (folder / release_path(each.name)).is_dir()]
    if told and not manifest.is_file():
        raise FetchError(f"{told[-1]}; {folder} holds the old one: name a new folder")
    if not manifest.is_file():
        raise FetchError(f"{folder} holds other files: name a new folder")
    if manifest.read_bytes() != plan.release.text:
        raise FetchError(f"{folder} holds another state of this release: name a new folder")


@contextmanager
def _claimed(target: Path, folder: Path) -> Iterator[None]:
    """Hold the folder for this process."""
    held = os.open(target, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FetchError(f"another fetch is at work on {folder}: wait for its end") from None
        yield
    finally:
        os.close(held)
