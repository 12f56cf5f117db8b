"""The bytes of record files, each with the place it was found at."""

from collections.abc import Iterator

import polars as pl

from dataproc_assets.storage.address import read_address


def read_files(files: pl.DataFrame) -> Iterator[tuple[str, str, bytes]]:
    """Place, name and bytes of each file, in order.

    Args:
        files: `name`, `uri`, `offset`, `length`; the place of a shard's member is `{uri}:{name}`.
    """
    for name, uri, offset, length in files.select("name", "uri", "offset", "length").iter_rows():
        place = uri if offset is None else f"{uri}:{name}"
        yield place, name, read_address(uri, offset, length)
