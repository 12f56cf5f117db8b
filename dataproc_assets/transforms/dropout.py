"""Dropping tags of a prompt at random, by hash draws, as Illustrious XL does."""

from itertools import accumulate

import polars as pl

from dataproc_assets.config.recipes import DropoutConfig, RecipeConfig
from dataproc_assets.transforms.draws import draw, hash64


def dropped_out(units: pl.LazyFrame, base: pl.LazyFrame, recipe: RecipeConfig) -> pl.LazyFrame:
    """The units that stay, without order; those of prompts that no rule drew are untouched.

    A rule's limit counts all tags of the prompt; protected ones are the first to stay, and stay
    even over the limit. `base` has `row`, `image_id` and `variant`.
    """
    if not recipe.dropout:
        return units
    name = pl.concat_str("image_id", pl.col("variant").cast(pl.String), separator="/")
    which = draw(recipe.seed, name, pl.lit("dropout"))
    bounds = list(accumulate(rule.share for rule in recipe.dropout))
    rules = pl.coalesce(
        *[pl.when(which < bound).then(pl.lit(i, dtype=pl.UInt8)) for i, bound in enumerate(bounds)],
        pl.lit(None, dtype=pl.UInt8),
    )
    chosen = base.select("row", name.alias("name"), rules.alias("rule")).drop_nulls("rule")
    spared = units.join(chosen, on="row", how="anti")
    hit = units.join(chosen, on="row", how="inner")
    order = hash64(recipe.seed, pl.col("name"), pl.col("text"))
    tags = (
        hit.filter("is_tag")
        .with_columns(order.alias("order"))
        .sort("row", ~pl.col("is_protected"), "order", "key")
        .with_columns(
            pl.int_range(pl.len(), dtype=pl.UInt32).over("row").alias("nth"),
            pl.len().over("row").alias("n"),
        )
    )
    limit = pl.coalesce(
        *[
            pl.when(pl.col("rule") == index).then(_limit(rule))
            for index, rule in enumerate(recipe.dropout)
        ]
    )
    kept = tags.filter(pl.col("is_protected") | (pl.col("nth") < limit))
    columns = units.collect_schema().names()
    others = hit.filter(~pl.col("is_tag"))
    return pl.concat([spared, kept.select(columns), others.select(columns)])


def _limit(rule: DropoutConfig) -> pl.Expr:
    """How many of `n` tags a rule keeps (Int64)."""
    if rule.keep_max is not None:
        return pl.lit(rule.keep_max, dtype=pl.Int64)
    # per mille in whole numbers: 0.3 x 10 is 3, not the float just above it
    mille = round((rule.keep_share or 0.0) * 1000)
    share = (pl.col("n").cast(pl.Int64) * mille + 999) // 1000
    return pl.max_horizontal(share, pl.lit(rule.keep_min, dtype=pl.Int64))
