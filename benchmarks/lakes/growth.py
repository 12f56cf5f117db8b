"""A finished lake of the tests made many times as large, in buckets as large lakes have."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from dataproc_assets.storage.lake import COMPANIONS, Lake
from dataproc_assets.storage.spill import Spill
from dataproc_assets.storage.stages import PUBLISHED, partitions
from dataproc_assets.storage.tables import TableWriter, present_table

KEYS = ("image_key", "representative", "a", "b", "image_id", "component")
LISTS = ("members",)
HASHES = ("sha256", "md5")  # how their columns end
BUCKET_ROWS = 2_500
BATCH_ROWS = 200_000  # made at a time
SPILL_MB = 1_024
BETWEEN = "\x1f"


def tables(lake: Lake) -> list[tuple[str, str | None]]:
    """Every table that there is, with its partition."""
    others = {other: stage for stage, others in COMPANIONS.items() for other in others}
    names = [name for name in lake.stages if name not in (*PUBLISHED, "gallery")]
    stages = {**{name: name for name in names}, **others}
    known = [
        (name, key)
        for name, stage in stages.items()
        for key in partitions(lake.project, lake.stages[stage].by)
    ]
    return [(name, key) for name, key in known if lake.info(name, key)]


def grown(rows: pl.DataFrame, copies: range) -> pl.DataFrame:
    """Rows once for each of some copies, under keys that end in `x` and the copy's number."""
    numbered = rows.join(pl.DataFrame({"copy": copies}), how="cross")
    ending = pl.format("x{}", "copy")
    columns = [pl.concat_str(name, ending) for name in KEYS if name in rows.columns]
    for name in rows.columns:
        if name.endswith(HASHES) and rows.schema[name] == pl.String:
            number = pl.col("copy").cast(pl.String).str.zfill(8)  # decimal digits are hex digits
            columns.append(pl.concat_str(pl.col(name).str.head(-8), number).alias(name))
    for name in LISTS:
        if name in rows.columns:
            joined = (
                pl.col(name)
                .list.join(BETWEEN)
                .str.replace_all(BETWEEN, pl.format("x{}\x1f", "copy"))
            )
            columns.append(pl.concat_str(joined, ending).str.split(BETWEEN).alias(name))
    return numbered.with_columns(columns).drop("copy")


def grow(lake: Lake, rows: int, spilled: Path) -> int:
    """Write all tables anew, so that members have about so many rows; returns the copies."""
    copies = max(1, rows // lake.read("members").select(pl.len()).collect().item())
    for name, key in tables(lake):
        path = lake.path(name, key)
        info = present_table(lake.store, path)
        table = lake.read(name, key).collect()
        buckets = max(1, table.height * copies // BUCKET_ROWS)
        spill = Spill(spilled / name / (key or ""), buckets, SPILL_MB)
        for some in batches(table, copies, BATCH_ROWS):
            spill.add(some, info.key[0])
        writer = TableWriter(lake.store, path, key=info.key, buckets=buckets)
        for bucket in range(buckets):
            writer.add(spill.take(bucket), buckets, bucket)
        writer.finish(info.inputs)
    return copies


def batches(rows: pl.DataFrame, copies: int, at_once: int) -> Iterator[pl.DataFrame]:
    """Rows as many times over, about so many at a time."""
    batch = max(1, at_once // max(1, rows.height))
    for start in range(0, copies, batch):
        yield grown(rows, range(start, min(start + batch, copies)))
