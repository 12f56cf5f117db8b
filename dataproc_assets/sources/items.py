"""The content of a record file, whatever its format, as single raw records."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

import pyarrow as pa

from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.sources.decode import Payload

Item = tuple[str, Payload]
"""Where a raw record was found, and the record."""

_BATCH = 2_000


def record_items(
    place: str, name: str, file: BinaryIO | ValueError, limits: RecordFilesConfig
) -> Iterator[Item]:
    """The raw records of the file `name`, which was found at `place`.

    `.json` is one record; `.jsonl` is one a line, placed at `{place}:{line from 1}`; both may end
    in `.gz` or `.zst`; `.parquet` is one a row, placed at `{place}:{row from 1}`. Of a damaged file
    come the records before the damage, then the error as an item; of one that unpacks to more than
    the limit, the records before it.

    Raises ConnectionError where the file cannot be read now.
    """
    if isinstance(file, ValueError):
        yield place, file
        return
    kind = name.lower()
    try:
        if kind.endswith(".parquet"):
            yield from _rows(place, file, limits)
        else:
            yield from _texts(place, kind, file, limits)
    except ConnectionError:
        raise  # the file may be whole: it is the way to it that is broken
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        yield place, ValueError(f"damaged {kind.rpartition('.')[2]} file: {type(error).__name__}")


def _texts(place: str, kind: str, file: BinaryIO, limits: RecordFilesConfig) -> Iterator[Item]:
    plain = kind.removesuffix(".gz").removesuffix(".zst")
    stream = _opened(kind, file)
    if plain.endswith(".json"):
        data = stream.read(limits.record_bytes + 1)
        yield place, _too_long(limits) if len(data) > limits.record_bytes else data
    elif plain.endswith(".jsonl"):
        yield from _lines(place, stream, limits, None if plain == kind else limits.file_bytes)
    else:
        yield place, ValueError("no reader for this name; records are .json, .jsonl or .parquet")


def _lines(
    place: str, stream: BinaryIO, limits: RecordFilesConfig, most: int | None
) -> Iterator[Item]:
    """The lines of a stream, of which at most `most` bytes are read."""
    longest = limits.record_bytes + 1
    number = total = 0
    ended = True
    while line := stream.readline(longest):
        total += len(line)
        number += ended
        if most is not None and total > most:
            yield place, _too_much("it", limits)
            return
        begins, ended = ended, line.endswith(b"\n")
        if not begins:
            continue  # the rest of a line that is too long
        if len(line) == longest and not ended:
            yield f"{place}:{number}", _too_long(limits)
        elif not line.isspace():
            yield f"{place}:{number}", line


def _too_long(limits: RecordFilesConfig) -> ValueError:
    return ValueError(f"has more than {limits.record_bytes} bytes (crawl.records.record_bytes)")


def _too_much(what: str, limits: RecordFilesConfig) -> ValueError:
    most = f"{limits.file_bytes} bytes (crawl.records.file_bytes)"
    return ValueError(f"{what} unpacks to more than {most}; what comes after is not read")


def _opened(kind: str, file: BinaryIO) -> BinaryIO:
    if kind.endswith(".gz"):
        return cast(BinaryIO, gzip.open(file))
    if kind.endswith(".zst"):
        return io.BufferedReader(pa.CompressedInputStream(file, "zstd"))
    return file


def _rows(place: str, file: BinaryIO, limits: RecordFilesConfig) -> Iterator[Item]:
    """Rows with exact integers: a trip over pandas would make nullable ones float."""
    import pyarrow.parquet as pq  # slow to import, and the definitions need no reader

    table = pq.ParquetFile(file, pre_buffer=False)
    number = 0
    for group in range(table.num_row_groups):
        if table.metadata.row_group(group).total_byte_size > limits.file_bytes:
            yield place, _too_much(f"its row group {group}", limits)
            return
        for batch in table.iter_batches(_BATCH, row_groups=[group]):
            for payload in _payloads(batch):
                number += 1
                yield f"{place}:{number}", payload


def _payloads(batch: pa.RecordBatch) -> list[Payload]:
    try:
        return cast(list[Payload], batch.to_pylist())
    except UnicodeDecodeError:
        return [_payload(batch.slice(row, 1)) for row in range(batch.num_rows)]


def _payload(row: pa.RecordBatch) -> Payload:
    try:
        return row.to_pylist()[0]
    except UnicodeDecodeError as error:
        return ValueError(f"not UTF-8: byte {error.start} of a text is not {error.encoding}")
