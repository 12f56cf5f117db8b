"""The one Parquet writer: the same rows give the same bytes."""

from io import BytesIO

import polars as pl

ROW_GROUP_ROWS = 65_536


def to_parquet(frame: pl.DataFrame) -> bytes:
    """A frame as Parquet bytes, which depend on the rows and their order alone.

    The frame is rechunked first: polars otherwise lets chunk borders, and so the number of
    threads, show in the file.
    """
    buffer = BytesIO()
    frame.rechunk().write_parquet(
        buffer, compression="zstd", compression_level=3, row_group_size=ROW_GROUP_ROWS
    )
    return buffer.getvalue()


def from_parquet(data: bytes) -> pl.DataFrame:
    """The frame in Parquet bytes."""
    return pl.read_parquet(BytesIO(data))
