"""The files of an S3 Inventory report, in any of its formats, as Arrow batches."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO, Any

import polars as pl
import pyarrow as pa

from dataproc_assets.storage.report_manifest import AGAIN, Report, ReportError, ReportFile

NEEDED = {
    "key": "Key",
    "size": "Size",
    "last_modified_date": "LastModifiedDate",
    "e_tag": "ETag",
}
VERSIONED = {"is_latest": "IsLatest", "is_delete_marker": "IsDeleteMarker"}
GZIP = b"\x1f\x8b"
BLOCK = 4 << 20  # bytes of a CSV file at a time
ROWS = 65_536  # rows of a parquet file at a time


def file_batches(report: Report, file: ReportFile) -> Iterator[pl.DataFrame]:
    """A file's rows, some at a time: the columns of NEEDED and, where it has them, of VERSIONED.

    Those of a CSV file are all strings; its keys are still encoded. The file is on disk meanwhile,
    not in memory, and no row is given before its size and MD5 are seen to be those of the manifest.

    Raises:
        ReportError: the file is missing, another one, unreadable, or lacks a column.
        ConnectionError: it cannot be read from the store.
    """
    place = report.bucket.uri(file.key)
    with TemporaryFile() as local:
        _fetch(report, file, place, local)
        with _reading(place):
            yield from _batches(report, place, local)


def _fetch(report: Report, file: ReportFile, place: str, local: IO[bytes]) -> None:
    """Copy a file to `local`, which is then at its start, and check it."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        _, pieces = report.bucket.stream(file.key)
    except FileNotFoundError as error:
        what = f"it is missing, but {report.place} names it"
        raise ReportError(place, what, AGAIN) from error
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        local.write(piece)
    found = (size, digest.hexdigest())
    wanted = (file.size, file.md5.lower())
    if found != wanted:
        what = f"it has {found[0]} bytes and the MD5 {found[1]}, but {report.place} says {wanted}"
        raise ReportError(place, what, AGAIN)
    local.seek(0)


@contextmanager
def _reading(place: str) -> Iterator[None]:
    """Whatever is wrong inside a file, as a ReportError."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, pl.exceptions.PolarsError) as error:
        cause = str(error).partition("\n")[0]
        raise ReportError(place, f"it cannot be read: {cause}", AGAIN) from error


def _batches(report: Report, place: str, local: IO[bytes]) -> Iterator[pl.DataFrame]:
    # the readers are slow to import, and the definitions need none
    if report.manifest.format == "CSV":
        names = [_snake(name) for name in report.manifest.columns.split(",")]
        yield from _csv(local, names, _columns(place, names))
    elif report.manifest.format == "Parquet":
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(local)
        wanted = _columns(place, parquet.schema_arrow.names)
        for batch in parquet.iter_batches(ROWS, columns=wanted):
            yield _frame(batch)
    else:
        from pyarrow import orc

        file = orc.ORCFile(local)
        wanted = _columns(place, file.schema.names)
        for stripe in range(file.nstripes):
            yield _frame(file.read_stripe(stripe, columns=wanted))


def _csv(local: IO[bytes], names: list[str], wanted: list[str]) -> Iterator[pl.DataFrame]:
    """A CSV file without a header, in gzip or not."""
    import pyarrow.csv as pc

    packed = local.read(2) == GZIP
    local.seek(0)
    stream: Any = gzip.GzipFile(fileobj=local) if packed else local
    if not stream.peek(1):  # Arrow takes an empty file for a broken one
        return
    types = dict.fromkeys(wanted, pa.string())
    reader = pc.open_csv(
        stream,
        pc.ReadOptions(column_names=names, block_size=BLOCK),
        pc.ParseOptions(newlines_in_values=True),
        pc.ConvertOptions(column_types=types, include_columns=wanted, strings_can_be_null=False),
    )
    for batch in reader:
        yield _frame(batch)


def _columns(place: str, names: list[str]) -> list[str]:
    """The columns to read of those that there are."""
    missing = [title for name, title in NEEDED.items() if name not in names]
    if missing:
        what = f"it lacks the column {', '.join(missing)}"
        raise ReportError(place, what, "add it to the fields of the inventory configuration")
    return [*NEEDED, *(name for name in VERSIONED if name in names)]


def _snake(title: str) -> str:
    """A column's name in a CSV's manifest as the other formats have it: ETag is e_tag."""
    return re.sub(r"(?<=.)(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z])", "_", title.strip()).lower()


def _frame(batch: Any) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(batch))
