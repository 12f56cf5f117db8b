"""Record files as open files, each with the place it was found at: fetched ahead, many at once."""

import io
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import polars as pl
from obstore.exceptions import BaseError

from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.storage.address import split_uri
from dataproc_assets.storage.remote_file import RemoteFile

GONE = "was deleted after it was listed; the next intake lists again"
SHORTER = "ends before the bytes it was listed with: it was replaced; the next intake lists again"

Found = tuple[str, str, BinaryIO | ValueError]
"""Place, name, and the open file or why it could not be opened."""


@dataclass
class _Member:
    place: str
    name: str
    offset: int | None
    size: int


@dataclass
class _Span:
    """What one request fetches: a whole object, or neighbours in a shard."""

    uri: str
    members: list[_Member] = field(default_factory=list)

    @property
    def start(self) -> int | None:
        return self.members[0].offset

    @property
    def size(self) -> int:
        last = self.members[-1]
        return last.size if last.offset is None else last.offset + last.size - (self.start or 0)


def read_files(files: pl.DataFrame, config: RecordFilesConfig) -> Iterator[Found]:
    """Place, name and content of each file, in order.

    A file that is not there any more, or not whole, comes as a ValueError; close each file before
    taking the next one.

    Args:
        files: `name`, `uri`, `offset`, `length`, `size`, sorted by uri and offset; the place of a
            shard's member is `{uri}:{name}`.

    Raises:
        ConnectionError: a file is there and cannot be read now.
    """
    waiting: deque[tuple[_Span, Future[bytes] | None]] = deque()
    ahead = 0
    pool = ThreadPoolExecutor(config.readers, "records")
    try:
        for span in _spans(files, config):
            streamed = span.size > config.stream_bytes and len(span.members) == 1
            cost = 0 if streamed else span.size
            while waiting and (
                ahead + cost > config.ahead_bytes or len(waiting) >= 2 * config.readers
            ):
                done, data = waiting.popleft()
                ahead -= done.size if data else 0
                yield from _contents(done, data, config)
            ahead += cost
            waiting.append((span, None if streamed else pool.submit(_fetch, span)))
        for done, data in waiting:
            yield from _contents(done, data, config)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _spans(files: pl.DataFrame, config: RecordFilesConfig) -> Iterator[_Span]:
    span: _Span | None = None
    columns = files.select("name", "uri", "offset", "length", "size")
    for name, uri, offset, length, size in columns.iter_rows():
        whole = offset is None
        member = _Member(uri if whole else f"{uri}:{name}", name, offset, size if whole else length)
        if span and not whole and _joins(span, uri, member, config):
            span.members.append(member)
            continue
        if span:
            yield span
        span = _Span(uri, [member])
    if span:
        yield span


def _joins(span: _Span, uri: str, member: _Member, config: RecordFilesConfig) -> bool:
    last = span.members[-1]
    if span.uri != uri or last.offset is None or member.offset is None or span.start is None:
        return False
    near = 0 <= member.offset - (last.offset + last.size) <= config.gap_bytes
    return near and member.offset + member.size - span.start <= config.span_bytes


def _fetch(span: _Span) -> bytes:
    """The bytes of a span. Raises FileNotFoundError, EOFError, ConnectionError."""
    store, path = split_uri(span.uri)
    try:
        if span.start is None:
            return store.get(path)
        return store.get_range(path, span.start, span.size) if span.size else b""
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise _unreadable(span.uri, error) from error


def _unreadable(uri: str, error: Exception) -> ConnectionError:
    cause = str(error).partition("\n")[0]
    return ConnectionError(f"{uri}: a record file cannot be read now: {cause}")


def _contents(
    span: _Span, data: Future[bytes] | None, config: RecordFilesConfig
) -> Iterable[Found]:
    if data is None:
        return _streamed(span, config)
    try:
        content = data.result()
    except FileNotFoundError:
        return [(one.place, one.name, ValueError(GONE)) for one in span.members]
    except EOFError:
        if len(span.members) == 1:
            return [(span.members[0].place, span.members[0].name, ValueError(SHORTER))]
        return _one_by_one(span, config)
    return [(one.place, one.name, io.BytesIO(_cut(content, span, one))) for one in span.members]


def _cut(content: bytes, span: _Span, one: _Member) -> bytes:
    if one.offset is None:
        return content
    begin = one.offset - (span.start or 0)
    return content[begin : begin + one.size]


def _one_by_one(span: _Span, config: RecordFilesConfig) -> Iterator[Found]:
    """Of a shard that was cut: what is whole is read all the same."""
    for one in span.members:
        single: Future[bytes] = Future()
        try:
            single.set_result(_fetch(_Span(span.uri, [one])))
        except (FileNotFoundError, EOFError) as error:
            single.set_exception(error)
        yield from _contents(_Span(span.uri, [one]), single, config)


def _streamed(span: _Span, config: RecordFilesConfig) -> Iterator[Found]:
    store, path = split_uri(span.uri)
    (one,) = span.members
    try:
        there = store.exists(path)
    except (BaseError, OSError) as error:
        raise _unreadable(span.uri, error) from error
    if not there:
        yield one.place, one.name, ValueError(GONE)
        return
    remote = RemoteFile(store, path, one.offset or 0, one.size, config.block_bytes)
    with io.BufferedReader(remote, min(config.block_bytes, 1 << 20)) as file:
        yield one.place, one.name, cast(BinaryIO, file)
