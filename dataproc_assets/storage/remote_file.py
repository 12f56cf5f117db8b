"""An object as a file that is read in blocks, for one too large to hold in memory."""

import io

from obstore.exceptions import BaseError

from dataproc_assets.storage.objects import ObjectStore


class RemoteFile(io.RawIOBase):
    """An object, or a member of one, as a seekable file; a block is fetched at a time.

    Reading raises:
        EOFError: the object is shorter than `size`.
        ConnectionError: it cannot be read, or is no longer there.
    """

    def __init__(self, store: ObjectStore, path: str, start: int, size: int, block: int) -> None:
        self._store, self._path, self._first, self._size = store, path, start, size
        self._block_bytes = block
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
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Fill the buffer from the position on, as far as the block that holds it goes."""
        if self._position >= self._size:
            return 0
        if not self._start <= self._position < self._start + len(self._block):
            wanted = max(len(buffer), self._block_bytes)
            self._block = self._get(self._position, min(wanted, self._size - self._position))
            self._start = self._position
        begin = self._position - self._start
        given = self._block[begin : begin + len(buffer)]
        buffer[: len(given)] = given
        self._position += len(given)
        return len(given)

    def _get(self, offset: int, length: int) -> bytes:
        try:
            return self._store.get_range(self._path, self._first + offset, length)
        except (BaseError, OSError) as error:
            uri, cause = self._store.uri(self._path), str(error).partition("\n")[0]
            raise ConnectionError(f"{uri}: cannot be read: {cause}") from error
