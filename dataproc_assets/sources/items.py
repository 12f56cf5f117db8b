"""The bytes of a record file, whatever its format, as single raw records."""

import gzip
import io
import zlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from dataproc_assets.sources.decode import Payload

Item = tuple[str, Payload]
"""Where a raw record was found, and the record."""

_BATCH = 10_000


def record_items(place: str, name: str, data: bytes) -> Iterator[Item]:
    """The raw records of the file `name`, which was found at `place`.

    `.json` is one record; `.jsonl` is one a line, placed at `{place}:{line from 1}`; both may end
    in `.gz` or `.zst`; `.parquet` is one a row, placed at `{place}:{row from 1}`. Of a damaged file
    come the records before the damage, then the error as an item.
    """
    try:
        yield from _records(place, name.lower(), data)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        yield place, ValueError(f"damaged {name.rpartition('.')[2]} file: {type(error).__name__}")


def _records(place: str, name: str, data: bytes) -> Iterator[Item]:
    if name.endswith(".parquet"):
        yield from _rows(place, data)
        return
    stream = _opened(name, data)
    plain = name.removesuffix(".gz").removesuffix(".zst")
    if plain.endswith(".json"):
        yield place, stream.read()
    elif plain.endswith(".jsonl"):
        for number, line in enumerate(stream, 1):
            if line.strip():
                yield f"{place}:{number}", line
    else:
        yield place, ValueError("no reader for this name; records are .json, .jsonl or .parquet")


def _opened(name: str, data: bytes) -> io.BufferedIOBase:
    if name.endswith(".gz"):
        return gzip.open(io.BytesIO(data))
    if name.endswith(".zst"):
        return io.BufferedReader(pa.CompressedInputStream(pa.BufferReader(data), "zstd"))
    return io.BytesIO(data)


def _rows(place: str, data: bytes) -> Iterator[Item]:
    """Rows with exact integers: a trip over pandas would make nullable ones float."""
    number = 0
    for batch in pq.ParquetFile(pa.BufferReader(data)).iter_batches(_BATCH):
        for row in batch.to_pylist():
            number += 1
            yield f"{place}:{number}", row
