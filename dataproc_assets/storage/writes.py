"""What keeps a file or an object from being written, told with its place and the next step."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EFBIG: "a file must not be larger there",
}


class WriteError(OSError):
    """Something could not be written; the message names it, the cause and the next step."""


@dataclass
class Made:
    """A local file that is to be an object, and afterwards the version that the bucket gave it."""

    path: Path
    version: str | None = None


@contextmanager
def room(folder: Path) -> Iterator[None]:
    """A disk without room for the files of a folder, as a WriteError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise WriteError(
            f"{folder}: {FULL[error.errno]}; make room there, or name another folder "
            "for temporary files in TMPDIR where it is one, and start again"
        ) from error
