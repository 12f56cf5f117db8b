"""Drawing one value among the sources by trust, with who won and who lost."""

from collections.abc import Mapping

import polars as pl

from dataproc_assets.config.sources import TrustConfig
from dataproc_assets.transforms.draws import race

Trust = Mapping[str, TrustConfig]


def trust_in(field: str, trust: Trust) -> pl.Expr:
    """The weight of column `source` for a field: Float64 in [0, 1].

    A source that is not in `trust` fails when the plan runs (InvalidOperationError).
    """
    weights = {source: float(getattr(one, field)) for source, one in trust.items()}
    return pl.col("source").replace_strict(weights, return_dtype=pl.Float64)


def drawn(claims: pl.LazyFrame, field: str, seed: int) -> pl.LazyFrame:
    """One value an image, source s winning with probability weight(s) / sum of weights.

    Args:
        claims: image_id, source, value (any dtype), weight Float64; one row a source at most.
        field: the name of the result's column, and part of the draw.
        seed: of the hash draw over (image_id, field, source).

    Returns image_id, `{field}`, `{field}__source`, `{field}__weight`, and `{field}__losing`
    List(Struct{source, value, weight}) from the nearest loser on. Nulls and weight 0 take no part.
    """
    running = claims.filter(pl.col("value").is_not_null() & (pl.col("weight") > 0)).with_columns(
        race(seed, pl.col("weight"), pl.col("image_id"), pl.lit(field), pl.col("source")).alias("t")
    )
    return (
        running.sort("image_id", "t", "source")
        .group_by("image_id", maintain_order=True)
        .agg(
            pl.col("value").first().alias(field),
            pl.col("source").first().alias(f"{field}__source"),
            pl.col("weight").first().alias(f"{field}__weight"),
            pl.struct("source", "value", "weight").slice(1).alias(f"{field}__losing"),
        )
    )
