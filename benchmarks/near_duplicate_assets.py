"""The production assets `dedup_intra` and `dedup_cross` over many images: time and peak memory.

`python benchmarks/near_duplicate_assets.py --images 1000000 --dimensions 768`. The images enter as
embeddings and thumbnails in the metric parts' own format, two sources of them, one in ten a near
copy of another; then a next drop of `--new` images comes to one source and both assets run again.
Everything lies in a temporary folder (TMPDIR), about 8 KiB an image.
"""

import argparse
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import yaml

from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.definitions import build
from dataproc_assets.models.columns import detail_bytes
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parquet import to_parquet

SOURCES = ("danbooru", "pixiv")
UNIT_IMAGES = 4096
POOL = 4096


class Pictures:
    """Embeddings of a falling spectrum with a common mean; some are near copies of a pool's."""

    def __init__(self, dimensions: int, detail: int, copies: float) -> None:
        self._random = np.random.default_rng(1)
        self._copies, self._detail = copies, detail
        scales = np.arange(1, dimensions + 1) ** -0.5
        self._scales = (scales * np.sqrt(0.5 / np.square(scales).sum())).astype(np.float32)
        turned = np.linalg.qr(self._random.normal(size=(dimensions, dimensions)))[0]
        self._basis = turned.astype(np.float32)
        self._pool = self._fresh(POOL)

    def take(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Embeddings float32, pHashes uint64 and thumbnails uint8 of some images."""
        vectors, hashes, details = self._fresh(count)
        chosen = np.flatnonzero(self._random.random(count) < self._copies)
        of = self._random.integers(0, POOL, len(chosen))
        away = self._random.uniform(0, 0.4, (len(chosen), 1)) / np.sqrt(vectors.shape[1])
        noise = self._random.standard_normal((len(chosen), vectors.shape[1]))
        vectors[chosen] = self._pool[0][of] + noise * away
        hashes[chosen] = self._pool[1][of] ^ (
            np.uint64(1) << self._random.integers(0, 64, len(of), np.uint64)
        )
        details[chosen] = self._pool[2][of]
        return vectors, hashes, details

    def _fresh(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        vectors = (
            self._random.standard_normal((count, len(self._scales)), np.float32) * self._scales
        )
        vectors[:, 0] += np.sqrt(0.5)
        vectors = vectors @ self._basis
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        hashes = self._random.integers(0, 2**64, count, np.uint64)
        return vectors, hashes, self._random.integers(0, 256, (count, self._detail), np.uint8)


def open_lake(home: Path, processes: int) -> Lake:
    """An empty lake of two sources under the project's own configuration."""
    conf = home / "conf"
    shutil.copytree(CONF, conf)
    for path in (conf / "sources").iterdir():
        if path.stem not in SOURCES:
            path.unlink()
    edit(conf / "profiles" / "local.yaml", home=home, processes=processes)
    curation = yaml.safe_load((conf / "curation.yaml").read_text())
    for table in (curation["augment"]["tiers"]["scores"], curation["merge"]["tag_p"]):
        for name in set(table) - {*SOURCES, "default"}:
            del table[name]
    (conf / "curation.yaml").write_text(yaml.safe_dump(curation, allow_unicode=True))
    return Lake(load_project(conf))


def edit(path: Path, home: Path, processes: int) -> None:
    """Let the profile work below `home`."""
    profile = yaml.safe_load(path.read_text())
    profile["storage"]["root"], profile["crawl"]["root"] = str(home / "store"), str(home / "bucket")
    profile["runner"]["processes"] = processes
    (home / "bucket").mkdir()
    path.write_text(yaml.safe_dump(profile))


def write_images(lake: Lake, pictures: Pictures, counts: dict[str, tuple[int, int]]) -> None:
    """Parts for the images from..to of each source, and the tables that tell of all of them."""
    side = detail_type(lake)
    for source, (start, stop) in counts.items():
        facts = list(read_facts(lake, source))
        for first in range(start, stop, UNIT_IMAGES):
            numbers = range(first, min(first + UNIT_IMAGES, stop))
            vectors, hashes, details = pictures.take(len(numbers))
            keys = [f"{source}/{number:09d}" for number in numbers]
            base = pl.DataFrame({"image_key": keys}).with_columns(
                version=pl.lit("v"), status=pl.lit("ok"), error=pl.lit(None, pl.String)
            )
            metric, unit = lake.project.dedup.embedding, f"{first:012d}"
            write_part(lake, metric, source, unit, base, "embedding", pl.Series(vectors))
            thumbs = pl.Series(details, dtype=side)
            write_part(lake, lake.project.dedup.detail.metric, source, unit, base, "detail", thumbs)
            facts.append(base.select("image_key", phash=pl.Series(hashes)))
        write_tables(lake, source, pl.concat(facts))


def detail_type(lake: Lake) -> pl.Array:
    """The type of a thumbnail's column."""
    metric = lake.project.metrics[lake.project.dedup.detail.metric]
    return pl.Array(pl.UInt8, detail_bytes(metric.model_dump()["detail_side"]))


def read_facts(lake: Lake, source: str) -> Iterator[pl.DataFrame]:
    """The keys and pHashes of the images that are there."""
    if lake.info("augmented", source) is not None:
        table = lake.read("augmented", source)
        yield table.select("image_key", phash=f"{source}__pixels_phash").collect()


def write_part(
    lake: Lake,
    metric: str,
    source: str,
    unit: str,
    base: pl.DataFrame,
    name: str,
    values: pl.Series,
) -> None:
    """One finished part of a metric."""
    path = layout.part_path(metric, lake.parts.fingerprint(metric), source, unit)
    lake.store.put(path, to_parquet(base.with_columns(values.alias(f"{metric}_{name}"))))
    lake.store.put(layout.done_path(path), b"{}")


def write_tables(lake: Lake, source: str, facts: pl.DataFrame) -> None:
    """The stage tables that the assets read."""
    inventory = facts.select("image_key", version=pl.lit("v"))
    lake.write("inventory", source, inventory, inputs={})
    texts = (
        *("pixels_sha256", "pixels_md5", "md5", "url", "post_url", "linked_source"),
        *("linked_pixiv_id", "parent_id", "post_id"),
    )
    nothing = [pl.lit(None, pl.String).alias(name) for name in texts]
    numbers = [pl.lit(None, pl.Int32).alias(name) for name in ("linked_pixiv_page", "page")]
    rows = facts.select(
        "image_key", *nothing, *numbers, pl.col("phash").alias("pixels_phash"),
        keep=pl.lit(True), pixels=pl.lit(1_000_000, pl.Int64), pixels_bytes=pl.lit(9, pl.Int64),
    )  # fmt: skip
    named = {name: f"{source}__{name}" for name in rows.columns if name != "image_key"}
    lake.write("augmented", source, rows.rename(named), inputs={})


def make(lake: Lake, asset: str, partition: str | None = None) -> None:
    """Materialize an asset with its checks, and print what it took."""
    job = build(lake.project).resolve_implicit_global_asset_job_def()
    start = time.perf_counter()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(asset)], partition_key=partition
        )
    seconds = time.perf_counter() - start
    (event,) = result.asset_materializations_for_node(asset)
    figures = {name: value.value for name, value in event.metadata.items()}
    own, workers = (
        resource.getrusage(who).ru_maxrss / 2**20
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(
        f"{asset} {partition or '':10} {seconds:8.1f} s  peak {own:.1f} GiB, a worker {workers:.1f}"
        f"  edges {figures['dagster/row_count']}  {figures['search']}",
        flush=True,
    )
    if "certificate" in figures:
        told = figures["certificate"]
        names = (
            "recall",
            "missed",
            "unfounded",
            "sample_rows",
            "sample_pairs",
            "largest_component",
        )
        print("certificate:", {name: told[name] for name in names}, flush=True)


def main() -> None:
    """Write the images, run the assets, add the next drop, run them again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--new", type=int, default=2_000)
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--copies", type=float, default=0.1, help="share that is a near copy")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake = open_lake(Path(folder), arguments.processes)
        side = detail_type(lake)
        pictures = Pictures(arguments.dimensions, side.shape[0], arguments.copies)
        half = arguments.images // 2
        start = time.perf_counter()
        write_images(lake, pictures, dict.fromkeys(SOURCES, (0, half)))
        print(f"{2 * half} images written in {time.perf_counter() - start:.0f} s", flush=True)
        for source in SOURCES:
            make(lake, "dedup_intra", source)
        make(lake, "dedup_cross")
        write_images(lake, pictures, {SOURCES[0]: (half, half + arguments.new)})
        print(f"and {arguments.new} more of {SOURCES[0]}", flush=True)
        make(lake, "dedup_intra", SOURCES[0])
        make(lake, "dedup_cross")


if __name__ == "__main__":
    main()
