"""What follows from a row and its group: size, bucket, year, period and quality tier."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.config.curation import AugmentConfig, PeriodConfig
from dataproc_assets.transforms.buckets import with_buckets
from dataproc_assets.transforms.tiers import TIER_SCHEMA


def augment(
    prefiltered: pl.DataFrame, tiers: pl.DataFrame, source: str, config: AugmentConfig
) -> pl.LazyFrame:
    """Add pixels Int64, aspect Float64, bucket_width and bucket_height Int32, year Int32, period
    str, and of `tiers` tier str, tier_percentile Float64 and tier_reason str; each null where it
    is unknown.

    `tiers` are those of the same rows in the same order, as `rank_posts` gives them. Sizes are
    those of the decoded image, not those the record claims. Source columns are read with their
    `{source}__` prefix. Raises ValueError where the two tables have not as many rows.
    """
    if prefiltered.height != tiers.height:
        raise ValueError(
            f"{source}: {prefiltered.height} rows and tiers of {tiers.height}; "
            "they must be those of the same rows"
        )
    added = {name: pl.col(f"{source}__{name}") for name in _READ}
    # the transforms read plain names, which the table does not have: lend them and take them back
    lent = prefiltered.lazy().with_columns(**added)
    width, height = pl.col("pixels_width").cast(pl.Int64), pl.col("pixels_height").cast(pl.Int64)
    sized = lent.with_columns(
        (width * height).alias("pixels"),
        pl.when(height > 0).then(width / height).alias("aspect"),
        pl.col(f"{source}__created").dt.year().cast(pl.Int32).alias("year"),
    )
    dated = sized.with_columns(period(pl.col("year"), config.periods).alias("period"))
    bucketed = with_buckets(dated, config.buckets, "pixels_width", "pixels_height")
    ranked = bucketed.with_columns(tiers.select(TIER_SCHEMA.names()).get_columns())
    return ranked.select(*prefiltered.columns, *_ADDED, *TIER_SCHEMA.names())


_READ = ("pixels_width", "pixels_height")
_ADDED = ("pixels", "aspect", "bucket_width", "bucket_height", "year", "period")


def period(year: pl.Expr, periods: Sequence[PeriodConfig]) -> pl.Expr:
    """The name of the period that holds the year (String), null outside all of them."""
    cases = [
        pl.when(year.is_between(one.first_year, one.last_year)).then(pl.lit(one.name))
        for one in periods
    ]
    return pl.coalesce(*cases, pl.lit(None, dtype=pl.String))
