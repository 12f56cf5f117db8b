"""The rows of a release: where their bytes lie, which shard they go to, and their counts."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import polars as pl

from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.select import Step, source
from dataproc_assets.release.tars import shard_bounds, shard_name
from dataproc_assets.storage.objects import ObjectStore

ADDRESS = ["uri", "offset", "length"]


def table_name(split: str) -> str:
    """The file of a split's table: `train.parquet`."""
    return f"{split}.parquet"


def read_tables(store: ObjectStore, manifest: Manifest) -> pl.DataFrame:
    """The rows of all splits of a release, sorted by image_id, with their `split`."""
    tables = [
        pl.read_parquet(store.get(f"{manifest.root}/{path}"))
        for path in manifest.files
        if "/" not in path and path.endswith(".parquet")
    ]
    return pl.concat(tables).sort("image_id")


def located(config: ReleaseConfig, table: pl.DataFrame, addresses: pl.DataFrame) -> pl.DataFrame:
    """The rows sorted by image_id, with their address, `file_name`, `file_bytes` and `shard`.

    `shard`, of the row's split, is null where the release has no tars. Raises ValueError for an
    image without an address and for an image_id that is there twice.
    """
    extension = pl.col("ext").str.to_lowercase().str.strip_prefix(".").replace("jpeg", "jpg")
    rows = table.join(
        addresses.select("image_key", *ADDRESS, pl.col("size").alias("file_bytes"), extension),
        left_on="representative",
        right_on="image_key",
        how="left",
        validate="m:1",
    ).sort("image_id")
    lost = rows.filter(pl.col("uri").is_null())["representative"]
    if len(lost):
        raise ValueError(
            f"release {config.name!r}: {len(lost)} images have no address (first: "
            f"{', '.join(lost.head(3))}); they left the crawl: run intake and what follows again"
        )
    if rows["image_id"].n_unique() != rows.height:
        raise ValueError(f"release {config.name!r}: an image_id is in the table twice")
    shard = pl.lit(None, pl.String)
    if "webdataset" in config.formats:
        parts = [_sharded(config, part) for part in rows.partition_by("split")]
        shard, rows = pl.col("shard"), pl.concat(parts).sort("image_id")
    file_name = pl.format("{}.{}", "image_id", "ext")
    return rows.with_columns(file_name=file_name, shard=shard).drop("ext")


def _sharded(config: ReleaseConfig, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of one split with the shard of each."""
    limits = config.shard
    bounds = shard_bounds(rows["file_bytes"].to_numpy(), limits.bytes_max, limits.images_max)
    prefix = f"webdataset/{rows['split'][0]}"
    names = [shard_name(prefix, number) for number in range(len(bounds) - 1)]
    sizes = [end - start for start, end in pairwise(bounds)]
    shard = pl.Series(names).repeat_by(pl.Series(sizes)).explode()
    return rows.with_columns(shard=shard)


def release_counts(
    config: ReleaseConfig, train: pl.DataFrame, funnel: Iterable[Step]
) -> dict[str, Any]:
    """Images, prompts and bytes, images by source, rating, tier, year and split, the funnel."""

    def by(name: str, expression: pl.Expr) -> dict[str, int]:
        groups = train.group_by(expression.cast(pl.String).fill_null("unknown").alias(name))
        return dict(groups.len().sort(name).iter_rows())

    prompts = pl.sum_horizontal(pl.col(f"prompts__{r}").list.len() for r in config.recipes).sum()
    return {
        "images": train.height,
        "bytes": train["file_bytes"].sum(),
        "prompts": train.select(prompts).item(),
        "sources": by("source", source()),
        "ratings": by("rating", pl.col("rating")),
        "tiers": by("tier", pl.col("tier")),
        "years": by("year", pl.col("year")),
        "splits": by("split", pl.col("split")),
        "funnel": [asdict(step) for step in funnel],
    }
