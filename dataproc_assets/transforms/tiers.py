"""Quality tiers: where a post stands among its source's posts of the same rating and time."""

from datetime import date

import numpy as np
import polars as pl

from dataproc_assets.config.curation import TiersConfig
from dataproc_assets.transforms.centred_rank import centred_counts

TIER_SCHEMA = pl.Schema(
    {"tier": pl.String, "tier_percentile": pl.Float64, "tier_reason": pl.String}
)
_SHARE_DIGITS = 12  # a power may differ in its last bit between machines
_MOST = 2.0**62  # larger scores are equal: no site counts so far


def ranked_posts(rows: pl.LazyFrame, source: str, tiers: TiersConfig) -> pl.LazyFrame:
    """What a post is ranked by: `created` Date in UTC, `rating` str, `score` Float64.

    `rows` has its source's columns with their prefix. Raises ValueError when `tiers.scores` names
    neither the source nor a default.
    """
    column = tiers.score(source)
    if column is None:
        named = ", ".join(sorted(tiers.scores))
        raise ValueError(
            f"curation.yaml augment.tiers.scores has no '{source}' (there are {named}); "
            "name the column its posts are ranked by"
        )
    return rows.select(
        created=pl.col(f"{source}__created").dt.date(),
        rating=pl.col(f"{source}__rating"),
        score=pl.col(f"{source}__{column}").cast(pl.Float64),
    )


def rank_posts(posts: pl.DataFrame, tiers: TiersConfig, as_of: date) -> pl.DataFrame:
    """The `TIER_SCHEMA` of all `ranked_posts` of a source, in their order.

    All rows with a score and a ripe age are ranked, dropped ones too, so a threshold moves no
    tier. The percentile is 100 x (middle rank - 1/2) / n among the posts of the same rating that
    were created at most half of `window_days` before or after: equal scores in one window share
    it. Without a tier the reason is no_score, no_date, after_as_of (the record is newer than
    `as_of`, which then wants to be moved), too_young or too_few.
    """
    known = posts.with_columns(
        age=(pl.lit(as_of) - pl.col("created")).dt.total_days(),
        score=pl.col("score").fill_nan(None),
    )
    reason = (
        pl.when(pl.col("score").is_null())
        .then(pl.lit("no_score"))
        .when(pl.col("age").is_null())
        .then(pl.lit("no_date"))
        .when(pl.col("age") < 0)
        .then(pl.lit("after_as_of"))
        .when(pl.col("age") < tiers.min_age_days)
        .then(pl.lit("too_young"))
    )
    known = known.with_columns(tier_reason=reason)
    ranked = pl.col("tier_reason").is_null()
    enough = pl.col("size") >= tiers.min_group
    # one division of whole numbers, hence the same on every machine
    percentile = (2 * pl.col("less") + pl.col("equal")) * 50 / pl.col("size")
    return (
        known.with_columns(_neighbours(known, ranked, tiers))
        .select(
            tier_percentile=pl.when(ranked, enough).then(percentile),
            tier_reason=pl.when(ranked, ~enough)
            .then(pl.lit("too_few"))
            .otherwise(pl.col("tier_reason")),
        )
        .select(_tier(pl.col("tier_percentile"), tiers).alias("tier"), pl.all())
        .cast(TIER_SCHEMA)
    )


def _neighbours(known: pl.DataFrame, ranked: pl.Expr, tiers: TiersConfig) -> list[pl.Series]:
    """`less`, `equal` and `size` (Int64) of all rows; those that are not ranked have none."""
    rows = known.select(ranked.arg_true()).to_series().to_numpy()
    numbers = known.filter(ranked).select(
        rating=pl.col("rating").cast(pl.Categorical).to_physical().cast(pl.Int64).fill_null(-1),
        age=pl.col("age").cast(pl.Int64),
        score=_comparable(tiers.half_life_days),
    )
    rating, age, score = (numbers[name].to_numpy() for name in ("rating", "age", "score"))
    counts = centred_counts(rating, age, score, tiers.window_days // 2)
    found = []
    for name in ("less", "equal", "size"):
        everywhere = np.zeros(known.height, np.int64)
        everywhere[rows] = getattr(counts, name)
        found.append(pl.Series(name, everywhere))
    return found


def _comparable(half_life_days: float | None) -> pl.Expr:
    """The score in whole thousandths, divided by the share expected at its age."""
    value = pl.col("score")
    if half_life_days is not None:
        share = 1 - (pl.lit(2.0) ** (-(pl.col("age") + 1) / half_life_days))
        value = value / share.round_sig_figs(_SHARE_DIGITS)
    return (value * 1000).round().clip(-_MOST, _MOST).cast(pl.Int64)


def _tier(percentile: pl.Expr, tiers: TiersConfig) -> pl.Expr:
    cases = [pl.when(percentile > cut.above).then(pl.lit(cut.name)) for cut in tiers.cuts]
    return pl.coalesce(*cases)
