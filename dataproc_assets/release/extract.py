"""A tar of a published folder, read once from its start to its end and written out as files.

Nothing of a tar is seen before all of its bytes are known to be those that were published: its
files wait in a folder of their own. What was written is noted, so that a run that was ended goes
on with the next tar.
"""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from dataproc_assets.release.manifest import FileEntry
from dataproc_assets.storage.objects import ObjectStore

Member = tuple[str, bytes]  # its name in the tar, its content
Made = tuple[str, bytes]  # a file's name, its content
BUFFER = 1 << 20


class UnpackError(Exception):
    """A release cannot be unpacked as asked; the message says why and what to do."""


class Hashed:
    """A file that is read in pieces, and the SHA-256 of all of it."""

    def __init__(self, pieces: Iterator[bytes], seen: Callable[[int], None]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")
        self._digest = hashlib.sha256()
        self._seen = seen

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        if not self._piece:
            piece = next(self._pieces, b"")
            self._digest.update(piece)
            self._seen(len(piece))
            self._piece = memoryview(piece)
        part, self._piece = self._piece[:size], self._piece[size:]
        return bytes(part)

    def sha256(self) -> str:
        """The digest (hex) of all bytes, of which the rest is read for it."""
        while self.read(BUFFER):
            pass
        return self._digest.hexdigest()


def extract(
    store: ObjectStore,
    path: str,
    entry: FileEntry,
    target: Path,
    notes: Path,
    make: Callable[[Iterable[Member]], Iterable[Made]],
    seen: Callable[[int], None],
) -> set[str]:
    """Write the files that `make` makes of a tar's members to a folder; returns their names.

    A file that is there with the same bytes is left alone; where the notes say that all are, the
    tar is not read.

    Args:
        entry: what the manifest says of the tar.
        notes: a folder of this function's own, on the same disk as `target`.
        make: from members to files, whose names must be checked by it.
        seen: told the bytes that were read, or need not be.

    Raises:
        UnpackError: the tar is not the one that was published, or is no tar.
        FileNotFoundError, ConnectionError: it cannot be read.
    """
    note, waiting = notes / f"{entry.sha256}.json", notes / entry.sha256
    shutil.rmtree(waiting, ignore_errors=True)  # a run that was killed left it
    known = _known(note, target)
    if known is not None:
        seen(entry.size)
        return known
    with ExitStack() as cleaning:
        cleaning.callback(shutil.rmtree, waiting, ignore_errors=True)
        waiting.mkdir(parents=True)
        written = {}
        size, pieces = store.stream(path)
        source = Hashed(pieces, seen)
        try:
            for name, data in make(members(source)):
                written[name] = [len(data), hashlib.sha256(data).hexdigest()]
                if not _same(target / name, *written[name]):
                    (waiting / name).write_bytes(data)
        except OSError:
            raise
        except Exception as error:  # whatever other bytes lead to: what they are matters, not that
            if source.sha256() != entry.sha256:
                raise _another(store, path) from error
            raise
        if size != entry.size or source.sha256() != entry.sha256:
            raise _another(store, path)
        for file in sorted(waiting.iterdir()):
            file.replace(target / file.name)
        replace(note, json.dumps(written, sort_keys=True).encode())
    return set(written)


def replace(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all; left alone where it has these bytes.

    What a killed process left of it is written over, so that one process at a time may call it.
    """
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return
    half = path.with_name(f".{path.name}.half")
    try:
        half.write_bytes(data)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def members(source: Hashed) -> Iterator[Member]:
    """A tar's files, in its order; only one of them is in memory at a time.

    Raises UnpackError where a member is no file.
    """
    file = cast("IO[bytes]", source)
    with tarfile.open(fileobj=file, mode="r|", bufsize=BUFFER) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                raise UnpackError(f"{member.name!r} of a shard is no file; nothing of it was kept")
            yield member.name, content.read()


def _known(note: Path, target: Path) -> set[str] | None:
    """The names of a tar's files where all of them are there as they were written."""
    if not note.is_file():
        return None
    written = json.loads(note.read_bytes())
    good = all(_same(target / name, *what) for name, what in written.items())
    return set(written) if good else None


def _same(path: Path, size: int, sha256: str) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _another(store: ObjectStore, path: str) -> UnpackError:
    return UnpackError(
        f"{store.uri(path)}: its bytes are not those that were published; nothing of it was kept. "
        "`dataproc release verify` tells all that is wrong; restore it from a copy"
    )
