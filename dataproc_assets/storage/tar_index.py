"""The members of a tar shard, by range requests over its headers."""

import io
import tarfile
from dataclasses import dataclass

from dataproc_assets.storage.objects import ObjectStore

READ_AHEAD = 64 * 1024


@dataclass(frozen=True)
class TarMember:
    """A regular file in a tar: its name, where its bytes begin, their number, its header's time."""

    name: str
    offset: int
    size: int
    mtime: int


class RangeReader(io.RawIOBase):
    """An object as a seekable file: reads fetch ranges, with a little read ahead."""

    def __init__(self, store: ObjectStore, path: str) -> None:
        self._store, self._path = store, path
        self._size = store.size(path)
        self._position = 0
        self._start, self._block = 0, b""

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position; nothing is read."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill the buffer from the position on, as far as the object goes."""
        wanted = min(len(buffer), max(self._size - self._position, 0))
        if not wanted:
            return 0
        end = self._position + wanted
        if not (self._start <= self._position and end <= self._start + len(self._block)):
            length = min(max(wanted, READ_AHEAD), self._size - self._position)
            self._block = self._store.get_range(self._path, self._position, length)
            self._start = self._position
        begin = self._position - self._start
        buffer[:wanted] = self._block[begin : begin + wanted]
        self._position = end
        return wanted


def tar_members(store: ObjectStore, path: str) -> tuple[list[TarMember], str | None]:
    """A tar's regular members in its order, and the reason why the list stops early, if it does.

    Links, devices, folders and sparse files are no images and are passed over. A member whose
    bytes the object no longer holds (a shard cut short) is left out and named in the reason.
    """
    reader = RangeReader(store, path)
    members: list[TarMember] = []
    size = store.size(path)
    try:
        with tarfile.open(fileobj=reader, mode="r:") as tar:
            for member in tar:
                if not member.isreg() or member.issparse():
                    continue
                if member.offset_data + member.size > size:
                    return members, f"truncated in member '{member.name}'"
                members.append(
                    TarMember(member.name, member.offset_data, member.size, int(member.mtime))
                )
            # tarfile takes a broken header for the end: the blocks of zeros tell a true one
            reader.seek(tar.offset)
            if reader.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                return members, f"ends without an end mark at byte {tar.offset} of {size}"
    except (tarfile.TarError, EOFError) as error:
        return members, f"not a readable tar: {error}"
    return members, None
