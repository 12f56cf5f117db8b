"""How long `dataproc explain` takes as tables grow, against reading the same tables whole.

`python benchmarks/explain.py [--rows 100000 1000000] [--asked 5]` makes the small world of the
tests and writes each of its tables again so many times over, under other keys, in buckets of about
2,500 rows: those of 10M rows in 4,096 buckets. Then it asks for images: by key, which reads the
buckets of the cluster alone; by the post's URL and by SHA-256, which scan a column first; and, as
the plain way, by filtering the whole tables for the cluster's keys, as an engine without the
buckets has to.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent))

from dataproc_assets.explain.explain import explain
from dataproc_assets.explain.subject import find_subject
from dataproc_assets.storage.lake import COMPANIONS, Lake
from dataproc_assets.storage.spill import Spill
from dataproc_assets.storage.stages import PUBLISHED, partitions
from dataproc_assets.storage.tables import TableWriter, present_table
from dataproc_assets_tests.defs.world import World

KEYS = ("image_key", "representative", "a", "b", "image_id", "component")
LISTS = ("members",)
BUCKET_ROWS = 2_500
BATCH_ROWS = 200_000  # made at a time
SPILL_MB = 1_024
ASKED = "pixiv/100_p0"  # has a copy on another platform
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
        batch = max(1, BATCH_ROWS // max(1, table.height))
        for start in range(0, copies, batch):
            numbers = range(start, min(start + batch, copies))
            spill.add(grown(table, numbers), info.key[0])
        writer = TableWriter(lake.store, path, key=info.key, buckets=buckets)
        for bucket in range(buckets):
            writer.add(spill.take(bucket), buckets, bucket)
        writer.finish(info.inputs)
    return copies


def whole(lake: Lake, key: str) -> int:
    """The plain way: every table filtered for the keys of the cluster."""
    members = lake.read("members").filter(pl.col("image_key") == key).collect()
    component = members["component"][0]
    keys = lake.read("members").filter(pl.col("component") == component).collect()["image_key"]
    found = 0
    for name, partition in tables(lake):
        table = lake.read(name, partition)
        column = present_table(lake.store, lake.path(name, partition)).key[0]
        ids = keys if column in ("image_key", "a") else members["image_id"]
        found += table.filter(pl.col(column).is_in(ids.implode())).collect().height
    return found


def seconds(do: Callable[[int], object], numbers: list[int]) -> float:
    """The median over some images."""
    spent = []
    for number in numbers:
        start = time.perf_counter()
        do(number)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def main() -> None:
    """Make the tables, ask, and print a line a size."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--asked", type=int, default=5)
    args = parser.parse_args()
    print("rows       by key    by URL   by SHA-256   whole tables   whole / by key")
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as folder:
            lake = World.finished(Path(folder)).lake
            copies = grow(lake, rows, Path(folder) / "spill")
            numbers = [copies * n // args.asked for n in range(args.asked)]
            row = (
                lake.read("augmented", "pixiv")
                .filter(pl.col("image_key") == f"{ASKED}x0")
                .collect()
            )
            sha256, url = row["pixiv__pixels_sha256"][0], row["pixiv__post_url"][0]

            def by_key(number: int, lake: Lake = lake) -> None:
                assert explain(lake, find_subject(lake, f"{ASKED}x{number}"))

            key = seconds(by_key, numbers)
            # all copies have one URL and one hash: what is measured is how they are found
            by_url = seconds(lambda _, lake=lake, url=url: find_subject(lake, url), numbers[:2])
            by_hash = seconds(lambda _, lake=lake, sha=sha256: find_subject(lake, sha), numbers[:2])
            plain = seconds(lambda n, lake=lake: whole(lake, f"{ASKED}x{n}"), numbers[:2])
            print(
                f"{rows:<10,} {key:6.2f} s {key + by_url:7.2f} s {key + by_hash:10.2f} s "
                f"{plain:12.2f} s {plain / key:12.1f} x"
            )


if __name__ == "__main__":
    main()
