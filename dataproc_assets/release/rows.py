"""The rows of a release: where their bytes lie, which shard they go to, and their counts."""

from collections.abc import Iterable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import polars as pl

from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.release.select import Step, source
from dataproc_assets.release.tars import shard_bounds, shard_name

ADDRESS = ["uri", "offset", "length"]


def located(config: ReleaseConfig, table: pl.DataFrame, addresses: pl.DataFrame) -> pl.DataFrame:
    """The rows sorted by image_id, with their address, `file_name`, `file_bytes` and `shard`.

    `shard` is null where the release has no tars. Raises ValueError for an image without an
    address and for an image_id that is there twice.
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
        bounds = shard_bounds(
            rows["file_bytes"].to_numpy(), config.shard.bytes_max, config.shard.images_max
        )
        sizes = [end - start for start, end in pairwise(bounds)]
        names = [shard_name("webdataset/train", number) for number in range(len(sizes))]
        shard = pl.Series(names).repeat_by(pl.Series(sizes)).explode()
    file_name = pl.format("{}.{}", "image_id", "ext")
    return rows.with_columns(file_name=file_name, shard=shard).drop("ext")


def release_counts(
    config: ReleaseConfig, train: pl.DataFrame, funnel: Iterable[Step]
) -> dict[str, Any]:
    """Images, prompts and bytes, images by source, rating, tier and year, and the funnel."""

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
        "funnel": [asdict(step) for step in funnel],
    }
