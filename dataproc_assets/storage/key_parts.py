"""Which part a key is in, by its hash: the buckets of tables, and whatever else is in parts."""

from collections.abc import Iterable

import polars as pl
import polars_hash as plh

BUCKET_SEED = 0


def split(
    rows: pl.DataFrame, key: str, parts: int, numbers: Iterable[int] | None = None
) -> list[pl.DataFrame]:
    """The rows of each part by the key's hash modulo `parts`, by default of all parts in order.

    The hash is that of the buckets: where the number of buckets is a multiple of `parts`, a part
    has the rows of whole buckets.
    """
    if parts == 1:
        return [rows]
    number = part_number(key, parts).alias("__part")
    named = rows.with_columns(number).partition_by("__part", as_dict=True, include_key=False)
    by_number = {int(name[0]): part for name, part in named.items()}
    return [by_number.get(index, rows.clear()) for index in numbers or range(parts)]


def part_number(key: str, parts: int) -> pl.Expr:
    """The part that a key is in, of so many; of all buckets it is the bucket."""
    return plh.col(key).nchash.xxhash64(seed=BUCKET_SEED) % parts  # type: ignore[attr-defined]
