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

from benchmarks.lakes.growth import grow, tables
from dataproc_assets.explain.explain import explain
from dataproc_assets.explain.subject import find_subject
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.tables import present_table
from dataproc_assets_tests.defs.world import World

ASKED = "pixiv/100_p0"  # has a copy on another platform


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
            # all copies have one URL: what is measured is how it is found
            by_url = seconds(lambda _, lake=lake, url=url: find_subject(lake, url), numbers[:2])
            by_hash = seconds(lambda _, lake=lake, sha=sha256: find_subject(lake, sha), numbers[:2])
            plain = seconds(lambda n, lake=lake: whole(lake, f"{ASKED}x{n}"), numbers[:2])
            print(
                f"{rows:<10,} {key:6.2f} s {key + by_url:7.2f} s {key + by_hash:10.2f} s "
                f"{plain:12.2f} s {plain / key:12.1f} x"
            )


if __name__ == "__main__":
    main()
