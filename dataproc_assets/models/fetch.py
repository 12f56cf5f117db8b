"""Weights on S3, in a cache on this machine.

Whoever needs an object fetches it, a worker too: it has no other way to one.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import IO

from dataproc_assets.config.weights import File
from dataproc_assets.storage.objects import open_store

OnBytes = Callable[[int, int], None]  # bytes that came, bytes in all


class FetchError(Exception):
    """A file could not be fetched; the message is why, as it goes on after the file's name."""


def cache_folder() -> Path:
    """Where objects of S3 are kept: DATAPROC_WEIGHTS, by default in the user's cache folder."""
    if chosen := os.environ.get("DATAPROC_WEIGHTS"):
        return Path(chosen).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "dataproc" / "weights"


def cached_object(file: File) -> Path:
    """Where an object of S3 lies in the cache, by its digest; there or not."""
    return cache_folder() / f"{file.sha256}{PurePosixPath(file.uri).suffix}"


def fetch_object(file: File, *, again: bool = False, on_bytes: OnBytes | None = None) -> Path:
    """The cached copy of an object of S3, fetched where there is none, or, at will, again.

    Of several processes one fetches and the others wait for it; what is visible is whole and has
    the right digest.

    Raises:
        FetchError: it cannot be read or kept, or has another digest.
    """
    path = cached_object(file)
    if path.is_file() and not again:
        return path
    try:
        old = _stamp(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.with_suffix(".lock")):
            if _stamp(path) == old:  # no other process was quicker
                _download(file, path, on_bytes)
    except OSError as error:
        raise FetchError(f"cannot be kept in {path.parent}: {error.strerror}") from error
    return path


def _download(file: File, path: Path, on_bytes: OnBytes | None) -> None:
    """Write an object of S3 to a path, atomically, if its digest is right."""
    bucket, _, key = file.uri.removeprefix("s3://").partition("/")
    digest, came = hashlib.sha256(), 0
    with _part(path.parent) as part:
        try:
            size, pieces = open_store(f"s3://{bucket}").stream(key)
            for piece in pieces:
                digest.update(piece)
                part.write(piece)
                came += len(piece)
                if on_bytes:
                    on_bytes(came, size)
        except FileNotFoundError:
            raise FetchError("there is no such object; upload it, or correct its uri") from None
        except ConnectionError as error:
            raise FetchError(str(error).removeprefix(f"{file.uri}: ")) from error
        if digest.hexdigest() != file.sha256:
            raise FetchError(
                f"has sha256 {digest.hexdigest()}, expected {file.sha256}; upload the right "
                "object, or, if the model was meant to change, put the new digest into the YAML"
            )
        part.close()
        Path(part.name).chmod(0o644)  # a cache may be several people's
        Path(part.name).replace(path)


@contextmanager
def _part(folder: Path) -> Iterator[IO[bytes]]:
    """A new file, which is removed at the end unless it was renamed."""
    part = NamedTemporaryFile(dir=folder, prefix=".part-", delete=False)  # noqa: SIM115
    try:
        yield part
    finally:
        part.close()
        Path(part.name).unlink(missing_ok=True)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time; the others wait."""
    with lock.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is replaced; None where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns
