"""Records laid onto the images they describe, where names and records do not meet one to one."""

import polars as pl

from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.layouts import key_part

_OF_ONE_PAGE = ("url", "width", "height", "md5")


def align_records(
    records: pl.LazyFrame, images: pl.LazyFrame, source: SourceConfig
) -> pl.LazyFrame:
    """Give each image its record, also where the crawl keyed the two differently.

    records: `RECORD_SCHEMA` and more; images: `image_key` of the inventory. An image's key is made
    of its file name alone and never changes; it is the record that moves.

    - Keys with an asset (artstation): a file may be named by `hash_id` or by `id`, so records join
      by the asset id, which is unique on the site.
    - Keys with a page (pixiv, twitter): a page without a record of its own gets that of the lowest
      page of its post, less what describes one page only (url, width, height, md5).
    - Other sources are returned as they are.

    Records without an image stay. Sorted by `image_key`, which is unique.
    """
    if "asset" in source.key_parts:
        return _by_asset(records, images, key_part(source, "asset").alias("asset"))
    if "page" in source.key_parts:
        post = key_part(source, "id").alias("post_id")
        return _by_post(
            records, images, post, key_part(source, "page").cast(pl.Int32).alias("page")
        )
    return records.sort("image_key")


def _by_asset(records: pl.LazyFrame, images: pl.LazyFrame, asset: pl.Expr) -> pl.LazyFrame:
    found = images.select(pl.col("image_key").alias("found"), asset)
    own = pl.col("image_key")
    return (
        records.with_columns(asset)
        .join(found, on="asset", how="left")
        .with_columns(pl.coalesce("found", own).alias("found"), own.alias("own"))
        # The record that names the file itself comes before one that shares only the asset.
        .sort("found", pl.col("own") != pl.col("found"), "own")
        .unique("found", keep="first", maintain_order=True)
        .with_columns(pl.col("found").alias("image_key"))
        .select(records.collect_schema().names())
        .sort("image_key")
    )


def _by_post(
    records: pl.LazyFrame, images: pl.LazyFrame, post: pl.Expr, page: pl.Expr
) -> pl.LazyFrame:
    schema = records.collect_schema()
    bare = images.join(records, on="image_key", how="anti").select("image_key", post, page)
    first = (
        records.sort("page", "image_key")
        .unique("post_id", keep="first", maintain_order=True)
        .with_columns(pl.lit(None, schema[name]).alias(name) for name in _OF_ONE_PAGE)
        .drop("image_key", "page")
    )
    filled = bare.join(first, on="post_id").select(schema.names())
    return pl.concat([records, filled]).sort("image_key")
