"""What a takedown costs as a lake grows, against reading what it reads whole.

`python benchmarks/takedown.py [--images 50000]` makes the small world of the tests so many times
over: tables in buckets, metric parts of 1,024 images. Then it takes down one picture that is posted
on two platforms:

- entering it: what it means, and its thumbnail and vector for the ledger; the plain way to those
  is to read all parts of these two metrics;
- searching all parts for its keys, and once more where nothing changed, as each intake does; the
  plain way is to read every part;
- the digests of all artefacts for the receipt; the plain way is to read them all.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.lakes.growth import batches, grow
from dataproc_assets.defs.takedowns import scrub_source
from dataproc_assets.release.manifest import object_sha256
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.scored import part_figures
from dataproc_assets.takedown.entries import to_entries
from dataproc_assets.takedown.snapshot import snapshot
from dataproc_assets.takedown.spread import enter_all
from dataproc_assets_tests.defs.posts import TWIN
from dataproc_assets_tests.defs.world import World


def grow_parts(lake: Lake, copies: int, images: int) -> None:
    """Write the parts of all metrics of the pass as many times over, so many images each."""
    for metric in lake.project.pass_metrics:
        for source in sorted(lake.project.sources):
            old = lake.parts.paths(metric, source)
            rows = pl.concat([from_parquet(lake.store.get(path)) for path in old])
            for path in old:
                lake.store.delete(layout.done_path(path))
                lake.store.delete(path)
            for number, part in enumerate(batches(rows, copies, images)):
                name = f"{number:016x}"
                new = layout.part_path(metric, lake.parts.fingerprint(metric), source, name)
                data = to_parquet(part := varied(part, number))
                lake.store.put(new, data)
                mark = json.dumps(part_figures(part, data))
                lake.store.put(layout.done_path(new), mark.encode())


def varied(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Rows with other numbers in what are arrays: copies would take next to no space on disk."""
    rng = np.random.default_rng(seed)
    arrays = {name: kind for name, kind in rows.schema.items() if isinstance(kind, pl.Array)}
    return rows.with_columns(
        pl.Series(name, rng.integers(0, 256, (rows.height, *kind.shape))).cast(kind)
        for name, kind in arrays.items()
    )


def read_parts(lake: Lake, metrics: list[str], keys: set[str]) -> int:
    """The plain way: every part, whole."""
    paths = [
        path
        for metric in metrics
        for source in sorted(lake.project.sources)
        for path in lake.parts.paths(metric, source)
    ]
    wanted = pl.Series(sorted(keys)).implode()
    return sum(
        from_parquet(lake.store.get(path)).filter(pl.col("image_key").is_in(wanted)).height
        for path in paths
    )


def timed(what: str, ours: Callable[[], object], plain: Callable[[], object] | None) -> None:
    """Run both and print a line."""
    seconds = []
    for do in (ours, plain):
        start = time.perf_counter()
        if do is not None:
            do()
        seconds.append(time.perf_counter() - start)
    told = f"{seconds[1]:9.2f} s {seconds[1] / seconds[0]:8.1f} x" if plain else ""
    print(f"{what:36} {seconds[0]:8.2f} s {told}", flush=True)


def main() -> None:
    """Make the lake, take down, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--unit", type=int, default=1_024, help="images of a metric part")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = World.finished(Path(folder)).lake
        copies = grow(lake, args.images, Path(folder) / "spill")
        grow_parts(lake, copies, args.unit)
        keys = {f"{key}x{copies // 2}" for key in TWIN}
        entry = to_entries([("key", min(keys), "2026-01-01", "")], only=False)
        searched = [lake.project.dedup.embedding, lake.project.dedup.detail.metric]
        passed = list(lake.project.pass_metrics)
        files = lake.store.list()
        gib = files["size"].sum() / 2**30
        print(f"{args.images:,} images, {files.height:,} files of {gib:.1f} GiB")
        print(f"{'':36} {'ours':>10} {'plain':>11} {'ratio':>10}")

        def scrub() -> None:
            for source in sorted(lake.project.sources):
                scrub_source(lake, source)

        found = []
        timed(
            "entering it",
            lambda: found.append(enter_all(lake, entry)),
            lambda: read_parts(lake, searched, keys),
        )
        assert set(found[0].images["image_key"]) == keys
        assert found[0].prints["vector"].null_count() == 0
        before = []
        timed(
            "digests before",
            lambda: before.append(snapshot(lake.store)),
            lambda: [object_sha256(lake.store, *row) for row in lake.store.list()[:, :2].rows()],
        )
        timed("out of all parts", scrub, lambda: read_parts(lake, passed, keys))
        timed("once more, nothing new", scrub, None)
        timed("digests after", lambda: snapshot(lake.store, before[0]), None)
        assert read_parts(lake, passed, keys) == 0


if __name__ == "__main__":
    main()
