"""The todo diff: images of the inventory that no part has scored at their version, and DuckDB.

`python benchmarks/todo_diff.py [--keys N] [--rounds R] [--memory-mb M] [--folder DIR]` writes an
inventory of N images in key-hash buckets and the parts of a metric over an earlier crawl of it:
one image in a hundred is new since and one has other bytes. Ours and DuckDB's anti-join then read
the same Parquet files in turn, each in a process of its own, and write what is pending in the
order of its keys. Printed are images a second, the ratio, and each process's peak memory.

For 100M images: `--keys 100_000_000 --buckets 1024 --rounds 1`, with 30 GB of disk.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import polars_hash as plh

METRIC = "clip"
UNIT_ROWS = 4096  # images of a unit in production
BATCH = 1 << 20
THREADS = os.cpu_count() or 1
DUCKDB_MEMORY = "4GB"


def crawl(start: int, rows: int) -> pl.DataFrame:
    """Images `start` and on of a crawl: two pages of every work of pixiv, with ETags."""
    number = pl.int_range(start, start + rows, dtype=pl.Int64, eager=True)
    name = pl.format("{}_p{}", 60_000_000 + pl.col("n") // 2, pl.col("n") % 2)
    return pl.DataFrame({"n": number}).select(
        "n",
        image_key=pl.format("pixiv/{}", name),
        version=plh.col("n").cast(pl.String).nchash.md5(),  # type: ignore[attr-defined]
        uri=pl.format("s3://crawls/dataset-pixiv/resized_1572864/{}.webp", name),
        offset=pl.lit(None, pl.Int64),
        length=pl.lit(None, pl.Int64),
    )


def make(root: Path, keys: int, buckets: int) -> None:
    """Write the inventory and the parts; what differs is spread evenly over the keys."""
    from dataproc_assets.storage.digest import bytes_digest
    from dataproc_assets.storage.objects import ObjectStore
    from dataproc_assets.storage.parquet import to_parquet
    from dataproc_assets.storage.spill import Spill
    from dataproc_assets.storage.tables import TableWriter

    store = ObjectStore(str(root))
    is_new, is_changed = pl.col("n") % 100 == 50, pl.col("n") % 100 == 75
    spill = Spill(root / "buckets", buckets, 512)
    for start in range(0, keys, BATCH):
        images = crawl(start, min(BATCH, keys - start))
        scored = images.filter(~is_new).select(
            "image_key",
            version=pl.when(is_changed).then(pl.lit("0" * 32)).otherwise("version"),
            status=pl.lit("ok"),
            error=pl.lit(None, pl.String),
        )
        for number, unit in enumerate(scored.iter_slices(UNIT_ROWS)):
            name = bytes_digest(f"{start + number}".encode())[:16]  # in no order, as units are
            store.put(f"parts/{name}.{METRIC}.parquet", to_parquet(unit))
        spill.add(images.drop("n"))
    table = TableWriter(store, "inventory", key="image_key", buckets=buckets)
    for bucket in range(buckets):
        table.add(spill.take(bucket), buckets, bucket)
    table.finish()


def ours(root: Path, target: Path, memory_mb: int) -> None:
    """The diff as the stage `todo` makes it of images that are all eligible."""
    from dataproc_assets.storage.ahead import ahead
    from dataproc_assets.storage.objects import ObjectStore
    from dataproc_assets.storage.scored import done_rows, unit_batches
    from dataproc_assets.storage.spill import KeyOrder, Spill, open_parts, part_count
    from dataproc_assets.storage.tables import present_table
    from dataproc_assets.storage.units import cut_units, replace_units
    from dataproc_assets.transforms.pending import lacking, score_marks

    store, out = ObjectStore(str(root)), ObjectStore(str(target))
    table = present_table(store, "inventory")
    scored = {METRIC: [p for p in store.list("parts")["path"] if p.endswith(".parquet")]}
    parts = part_count(table.rows, len(table.buckets))

    def read(batch: dict[str, list[str]]) -> pl.DataFrame:
        return score_marks(
            {metric: done_rows(store, paths).collect() for metric, paths in batch.items()}
        )

    with tempfile.TemporaryDirectory(dir=root) as temporary:
        marks = Spill(Path(temporary) / "marks", parts, memory_mb // 4)
        marks.add(score_marks({}))
        for batch in ahead(read, unit_batches(scored, UNIT_ROWS)):
            marks.add(batch)
        images = open_parts(store, "inventory", parts, Path(temporary) / "images", memory_mb // 4)

        def compare(part: int) -> pl.DataFrame:
            return lacking(images(part).collect(), marks.take(part), [METRIC])

        order = KeyOrder(Path(temporary) / "left", parts, memory_mb // 4)
        for left in ahead(compare, range(parts)):
            order.add(left)
        replace_units(out, "todo", cut_units(order.take(), UNIT_ROWS))


def duckdb(root: Path, target: Path, memory_mb: int) -> None:
    """DuckDB's anti-join over the same files, ordered, into one Parquet file."""
    import duckdb

    base = duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": DUCKDB_MEMORY,
            "temp_directory": str(target / "spill"),
        }
    )
    base.execute(
        f"""copy (
          select image_key, version, uri, "offset", length
          from '{root}/inventory/*.parquet' images
          anti join (
            select image_key, version from '{root}/parts/*.parquet' where status != 'retry'
          ) scored using (image_key, version)
          order by image_key
        ) to '{target}/todo.parquet' (compression zstd)"""
    )


SIDES = {"ours": ours, "duckdb": duckdb}


def result(target: Path) -> tuple[int, str]:
    """How many rows a side has found, and their digest, in the order of their keys."""
    from dataproc_assets.storage.digest import frame_digest

    files = [*target.glob("todo/*.parquet"), *target.glob("todo.parquet")]
    columns = ["image_key", "version", "uri", "offset", "length"]
    rows = pl.concat([pl.read_parquet(file, columns=columns) for file in files]).sort("image_key")
    return rows.height, frame_digest(rows)


def run_one(side: str, root: Path, target: Path, memory_mb: int) -> None:
    """One side in this process; prints its seconds, without imports, and its peak memory."""
    import duckdb  # noqa: F401

    import dataproc_assets.storage.lake
    import dataproc_assets.transforms.pending  # noqa: F401

    start, cpu = time.perf_counter(), time.process_time()
    SIDES[side](root, target, memory_mb)
    seconds, busy = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"seconds": seconds, "cpu": busy, "gib": peak}))


def main() -> None:
    """Make the files, run both sides in turn, compare what they found, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--buckets", type=int, default=128, help="of the inventory")
    parser.add_argument("--memory-mb", type=int, default=3072)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("SIDE", "ROOT", "TARGET"))
    args = parser.parse_args()
    if args.one:
        side, root, target = args.one
        run_one(side, Path(root), Path(target), args.memory_mb)
        return
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        root, target = Path(temporary), Path(temporary) / "target"
        make(root, args.keys, args.buckets)
        results = set()
        this = [sys.executable, __file__, "--memory-mb", str(args.memory_mb)]
        for _ in range(args.rounds):
            for side in SIDES:
                target.mkdir()
                done = subprocess.run(
                    [*this, "--one", side, str(root), str(target)],
                    check=True,
                    stdout=subprocess.PIPE,
                )
                found[side].append(json.loads(done.stdout))
                results.add(result(target))
                shutil.rmtree(target)
    if len(results) != 1:
        raise SystemExit(f"the sides differ, so the comparison would mean nothing: {results}")
    ((rows, digest),) = results
    print(f"{args.keys:,} images, {rows:,} pending (digest {digest[:12]}), {THREADS} threads")
    best = {side: min(run["seconds"] for run in runs) for side, runs in found.items()}
    for side, runs in found.items():
        print(
            f"  {side:7} {best[side]:7.2f} s {args.keys / best[side]:12,.0f} images/s, "
            f"{min(run['cpu'] for run in runs):7.2f} CPU s, "
            f"peak {max(run['gib'] for run in runs):.2f} GiB"
        )
    print(f"  ratio {best['duckdb'] / best['ours']:.2f}")


if __name__ == "__main__":
    main()
