"""Reading a tar's headers front to back: few requests, and few bytes that nobody asked for."""

from collections import deque
from collections.abc import Iterable
from concurrent.futures import Executor, Future

from dataproc_assets.config.intake import ShardConfig
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.refusals import reading
from dataproc_assets.storage.tar_headers import padded

Range = tuple[int, int]  # start, end


class HeaderRanges:
    """An object of which headers are read and data are passed over.

    Where a plan says in which ranges the headers are, these are fetched ahead, many at once. What
    the plan lacks is read without it, and it is dropped when a range of it turns out to hold
    nothing that is asked for: then it is of another tar.

    Without a plan, a jump of more than `small_bytes` since the last read means large members, and
    little is read ahead; otherwise each block is twice as long as the one before it.
    """

    def __init__(
        self,
        store: ObjectStore,
        path: str,
        size: int,
        config: ShardConfig,
        plan: Iterable[Range],
        fetchers: Executor,
    ) -> None:
        self._store, self._path, self._size, self._config = store, path, size, config
        self._start, self._block = 0, b""
        self._end = 0  # of the last read
        self._ahead = config.small_bytes // 2
        self._plan = deque(plan)
        self._coming: deque[tuple[Range, Future[bytes]]] = deque()
        self._fetchers = fetchers

    def read(self, offset: int, length: int) -> bytes:
        """The bytes at an offset, fewer at the end of the object; offsets never go back.

        Raises:
            FileNotFoundError: there is no such object.
            EOFError: it is shorter than it was.
            ConnectionError: it cannot be read.
        """
        end = min(offset + length, self._size)
        if end <= offset:
            return b""
        if end > self._start + len(self._block):
            self._block = self._planned(offset, end) or self._next(offset, end)
            self._start = offset
        self._end = end
        return self._block[offset - self._start : end - self._start]

    def close(self) -> None:
        """Drop the plan and what is not on its way yet."""
        for _, block in self._coming:
            block.cancel()
        self._plan.clear()
        self._coming.clear()

    def _planned(self, offset: int, end: int) -> bytes | None:
        """The rest of the planned range that holds these bytes; None where none does."""
        self._order()
        while self._coming and self._coming[0][0][0] <= offset:
            (start, stop), block = self._coming.popleft()
            self._order()
            if end <= stop:
                return block.result()[offset - start :]
            seen = self._start <= start and stop <= self._start + len(self._block)
            if offset >= stop and not seen:
                self.close()
        return None

    def _order(self) -> None:
        """Ask for the next ranges of the plan, up to the limits of requests and of bytes."""
        config = self._config
        coming = sum(stop - start for (start, stop), _ in self._coming)
        while self._plan and len(self._coming) < config.requests and coming < config.block_bytes:
            start, stop = self._plan.popleft()
            self._coming.append(((start, stop), self._fetchers.submit(self._get, start, stop)))
            coming += stop - start

    def _next(self, offset: int, end: int) -> bytes:
        """The bytes asked for, with what is read ahead."""
        config = self._config
        if offset - self._end > config.small_bytes:
            self._ahead = config.header_bytes
        else:
            self._ahead = min(2 * self._ahead, config.block_bytes)
        return self._get(offset, min(max(end, offset + self._ahead), self._size))

    def _get(self, start: int, stop: int) -> bytes:
        with reading(self._store.uri(self._path)):
            return self._store.get_range(self._path, start, stop - start)


def plan_ranges(members: Iterable[Range], size: int, config: ShardConfig) -> list[Range]:
    """The ranges that hold a tar's headers, by the offset and length of each member's data.

    Between two members lie the headers of the second, PAX and long names among them; where more
    lies there, the index leaves members out, and the plan holds both its ends. Ranges that are
    close to each other are one, up to `block_bytes`.
    """
    ranges: list[Range] = []
    before = 0
    for offset, length in sorted(members):
        if not before < offset <= offset + length <= size:
            continue
        if offset - before <= config.small_bytes:
            _add(ranges, before, offset, config)
        else:
            _add(ranges, before, before + config.header_bytes, config)
            _add(ranges, max(before, offset - config.header_bytes), offset, config)
        before = padded(offset + length)
    if ranges and before < size:
        _add(ranges, before, min(before + config.header_bytes, size), config)
    return ranges


def _add(ranges: list[Range], start: int, stop: int, config: ShardConfig) -> None:
    """Append a range, or lengthen the last one up to its end."""
    first, last = ranges[-1] if ranges else (0, 0)
    near = ranges and start - last <= config.small_bytes
    if near and stop - first <= config.block_bytes:
        ranges[-1] = (first, max(last, stop))
    elif stop > last:
        ranges.append((max(start, last), stop))
