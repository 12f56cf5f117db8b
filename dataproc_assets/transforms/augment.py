"""What follows from a row and its group: size, bucket, year, period and quality tier."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.config.curation import CurationConfig, PeriodConfig
from dataproc_assets.transforms.buckets import with_buckets
from dataproc_assets.transforms.tiers import with_tiers


def augment(prefiltered: pl.LazyFrame, source: str, curation: CurationConfig) -> pl.LazyFrame:
    """Add pixels Int64, aspect Float64, bucket_width and bucket_height Int32, year Int32, period
    str, tier str, tier_percentile Float64 and tier_reason str; each null where it is unknown.

    Sizes are those of the decoded image, not those the record claims. Source columns are read
    with their `{source}__` prefix. Raises ValueError for a source without a score column.
    """
    own = {name: pl.col(f"{source}__{name}") for name in _READ}
    score = curation.augment.tiers.score(source)
    if score:
        own[score] = pl.col(f"{source}__{score}")
    # the transforms read plain names, which the table does not have: lend them and take them back
    lent = prefiltered.with_columns(**own)
    width, height = pl.col("pixels_width").cast(pl.Int64), pl.col("pixels_height").cast(pl.Int64)
    sized = lent.with_columns(
        (width * height).alias("pixels"),
        pl.when(height > 0).then(width / height).alias("aspect"),
        pl.col("created").dt.year().cast(pl.Int32).alias("year"),
    )
    dated = sized.with_columns(period(pl.col("year"), curation.augment.periods).alias("period"))
    bucketed = with_buckets(dated, curation.augment.buckets, "pixels_width", "pixels_height")
    tiered = with_tiers(bucketed, source, curation.augment.tiers, curation.as_of)
    return tiered.select(*prefiltered.collect_schema().names(), *_ADDED)


_READ = ("pixels_width", "pixels_height", "created", "rating")
_ADDED = (
    "pixels",
    "aspect",
    "bucket_width",
    "bucket_height",
    "year",
    "period",
    "tier",
    "tier_percentile",
    "tier_reason",
)


def period(year: pl.Expr, periods: Sequence[PeriodConfig]) -> pl.Expr:
    """The name of the period that holds the year (String), null outside all of them."""
    cases = [
        pl.when(year.is_between(one.first_year, one.last_year)).then(pl.lit(one.name))
        for one in periods
    ]
    return pl.coalesce(*cases, pl.lit(None, dtype=pl.String))
