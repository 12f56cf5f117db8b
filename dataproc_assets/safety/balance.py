"""How one-sided a set of images is: the share of each rating, source, artist and character."""

import polars as pl

from dataproc_assets.config.safety import BalanceConfig

FIELDS = ("rating", "source", "artist", "character")


def count_values(images: pl.DataFrame) -> pl.DataFrame:
    """How many images have each value: field, value, images Int64. Parts of a set add up.

    `images` has representative, rating, artist and tags List(Struct{tag, category, ...}). An
    image without a value is in none, but a rating that nobody gave is `unknown`; one with several
    characters is in each of them. The source is the representative's.
    """
    tag = pl.element().struct.field
    characters = pl.col("tags").list.eval(tag("tag").filter(tag("category") == "character"))
    values = {
        "rating": pl.col("rating").fill_null("unknown"),
        "source": pl.col("representative").str.split("/").list.first(),
        "artist": pl.col("artist"),
        "character": characters.list.unique().explode(),
    }
    counted = [
        images.lazy()
        .select(value=value)
        .drop_nulls()
        .group_by("value")
        .agg(images=pl.len().cast(pl.Int64))
        .select(pl.lit(field).alias("field"), "value", "images")
        for field, value in values.items()
    ]
    return pl.concat(counted).collect()


def largest_shares(counts: pl.DataFrame, images: int, config: BalanceConfig) -> pl.DataFrame:
    """The values with the largest shares: field, value, images, share, over Boolean.

    `counts` are those of `count_values` of all parts of a set of so many images. Each field has
    `config.shown` rows and all that are over its maximum, the largest first.
    """
    limits = {field: getattr(config.share_max, field) for field in FIELDS}
    place = pl.int_range(pl.len()).over("field")
    return (
        counts.group_by("field", "value")
        .agg(pl.col("images").sum())
        .with_columns(
            share=pl.col("images") / images,
            limit=pl.col("field").replace_strict(limits, return_dtype=pl.Float64),
            order=pl.col("field").replace_strict(FIELDS, range(len(FIELDS)), return_dtype=pl.Int8),
        )
        .with_columns(over=pl.col("share") > pl.col("limit"))
        .sort("order", "images", "value", descending=[False, True, False])
        .filter((place < config.shown) | pl.col("over"))
        .select("field", "value", "images", "share", "over")
    )
