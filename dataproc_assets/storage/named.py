"""A table by the name that a person gives, who is told what there is where it is none."""

import polars as pl

from dataproc_assets.storage.lake import COMPANIONS, Lake
from dataproc_assets.storage.stages import PUBLISHED, Partition, partitions


def load_named(lake: Lake, table: str, **keys: str | None) -> pl.LazyFrame:
    """A table's rows by its name and, by `source` or `recipe`, its partition.

    Raises ValueError, naming what there is, where the name or the partition is wrong.
    """
    owners = {other: stage for stage, others in COMPANIONS.items() for other in others}
    tables = [name for name in lake.stages if name not in PUBLISHED]
    if table not in (*tables, *owners):
        raise ValueError(f"no table {table!r}; there are {', '.join([*tables, *owners])}")
    by = lake.stages[owners.get(table, table)].by
    given = {name: key for name, key in keys.items() if key is not None}
    if set(given) != ({by} if by else set()):
        wanted = f"{by}=..., one of {_keys(lake, by)}" if by else "no partition"
        raise ValueError(f"the table {table!r} takes {wanted}")
    partition = given[by] if by else None
    if partition not in partitions(lake.project, by):
        raise ValueError(f"no {by} {partition!r}; there are {_keys(lake, by)}")
    return lake.read(table, partition)


def _keys(lake: Lake, by: Partition) -> str:
    return ", ".join(key for key in partitions(lake.project, by) if key)
