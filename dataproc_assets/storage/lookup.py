"""Rows of stage tables by key, of the buckets that hold them alone, and keys by what rows say."""

from collections.abc import Iterable

import polars as pl

from dataproc_assets.storage.key_parts import part_number
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import present_table, read_buckets


def rows_of(store: ObjectStore, path: str, keys: Iterable[str]) -> pl.DataFrame:
    """The rows of a table whose key is one of `keys`, verified, sorted by the table's keys.

    Only the buckets that these keys fall into are read: of 4,096 buckets, one for one key. A
    table of several keys is in buckets by the first.

    Raises:
        FileNotFoundError: the table was never made.
        ChangedFileError: a file that was read was edited, cut or lost.
    """
    info = present_table(store, path)
    wanted = pl.DataFrame({info.key[0]: sorted(set(keys))}, schema={info.key[0]: pl.String})
    numbers = wanted.select(part_number(info.key[0], len(info.buckets))).to_series()
    rows = read_buckets(store, path, sorted(set(numbers)) or [0], info)
    return rows.join(wanted.lazy(), on=info.key[0], how="semi").sort(info.key).collect()


def matching(store: ObjectStore, path: str, where: pl.Expr, columns: Iterable[str]) -> pl.DataFrame:
    """Some columns of the rows for which `where` holds, from all buckets, in no order.

    Only the columns asked for and those of `where` are read, so the files are not verified:
    take from here which rows to look at, and their values from `rows_of`.

    Raises FileNotFoundError where the table was never made.
    """
    info = present_table(store, path)
    files = [store.uri(f"{path}/{bucket.file}") for bucket in info.buckets]
    return pl.scan_parquet(files).filter(where).select(*columns).collect()
