"""Quality tiers: where a post stands among its source's posts of the same rating and age."""

from datetime import date

import polars as pl

from dataproc_assets.config.curation import TiersConfig

_DAYS_A_YEAR = 365.25


def with_tiers(rows: pl.LazyFrame, source: str, tiers: TiersConfig, as_of: date) -> pl.LazyFrame:
    """Add `tier` str|null, `tier_percentile` Float64|null and `tier_reason` str|null.

    Expects `created` (Datetime, UTC), `rating` and the source's score column. All rows with a
    score and a ripe age are ranked, dropped ones too, so a threshold moves no tier. The percentile
    is 100 x (middle rank - 1/2) / n inside (rating, window of `window_years` back from `as_of`):
    equal scores share it. Without a tier the reason is no_score, no_date, too_young or too_few.
    Raises ValueError when `tiers.scores` names neither the source nor a default.
    """
    column = tiers.score(source)
    if column is None:
        named = ", ".join(sorted(tiers.scores))
        raise ValueError(
            f"curation.yaml augment.tiers.scores has no '{source}' (there are {named}); "
            "name the column its posts are ranked by"
        )
    age = (pl.lit(as_of) - pl.col("created").dt.date()).dt.total_days()
    reason = (
        pl.when(pl.col(column).is_null())
        .then(pl.lit("no_score"))
        .when(pl.col("_age").is_null())
        .then(pl.lit("no_date"))
        .when(pl.col("_age") < tiers.min_age_days)
        .then(pl.lit("too_young"))
    )
    window_days = round(tiers.window_years * _DAYS_A_YEAR)
    group = ["rating", "_window", "_ranked"]
    rank_sum = pl.col("_score").rank("min") + pl.col("_score").rank("max") - 1
    percentile = (rank_sum.over(group) / (2 * pl.col("_n"))) * 100
    return (
        rows.with_columns(age.alias("_age"))
        .with_columns(
            reason.alias("tier_reason"),
            (pl.col("_age") // window_days).alias("_window"),
            _comparable(pl.col(column), tiers.half_life_days).alias("_score"),
        )
        .with_columns(pl.col("tier_reason").is_null().alias("_ranked"))
        .with_columns(pl.len().over(group).alias("_n"))
        .with_columns(
            pl.when("_ranked", pl.col("_n") >= tiers.min_group)
            .then(percentile)
            .alias("tier_percentile"),
            pl.when(pl.col("_ranked") & (pl.col("_n") < tiers.min_group))
            .then(pl.lit("too_few"))
            .otherwise("tier_reason")
            .alias("tier_reason"),
        )
        .with_columns(_tier(pl.col("tier_percentile"), tiers).alias("tier"))
        .drop("_age", "_window", "_score", "_ranked", "_n")
    )


def _comparable(score: pl.Expr, half_life_days: float | None) -> pl.Expr:
    """The score in whole thousandths, divided by the share expected at its age."""
    value = score.cast(pl.Float64)
    if half_life_days is not None:
        value = value / (1 - (pl.lit(2.0) ** (-(pl.col("_age") + 1) / half_life_days)))
    return (value * 1000).round().cast(pl.Int64, strict=False)


def _tier(percentile: pl.Expr, tiers: TiersConfig) -> pl.Expr:
    cases = [pl.when(percentile > cut.above).then(pl.lit(cut.name)) for cut in tiers.cuts]
    return pl.coalesce(*cases)
