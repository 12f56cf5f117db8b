"""Prompts of a recipe: the most certain tags first, in its order, within its token budget."""

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.dropout import dropped_out
from dataproc_assets.transforms.units import PLACE_BITS, ROW_BITS, units
from dataproc_assets.transforms.words import group_mark


def prompts(images: pl.LazyFrame, recipe: RecipeConfig, token_counts: pl.LazyFrame) -> pl.LazyFrame:
    """One row a prompt, sorted by image_id and variant.

    Args:
        images: image_id, tags List(Struct{tag, category, ...}) most certain first, rating, tier,
            year, period, caption.
        recipe: order, words, budget, dropout, prompts an image.
        token_counts: text and tokens of every text of `texts_to_count`; not read without budget.

    Returns image_id, variant Int32, prompt str, caption str, groups List(Struct{group, tags
    list[str]}), tokens Int32 (an upper bound without start and end; null without budget), cut
    list[str] (what the budget cut, the first to return first). A unit that alone is over the
    budget is cut and costs nothing; from the first other that does not fit on, all are cut.
    """
    variants = pl.int_ranges(0, pl.lit(recipe.variants), dtype=pl.Int32)
    base = (
        images.select("image_id", "tags", "rating", "tier", "year", "period", "caption")
        .sort("image_id")
        .with_columns(variants.alias("variant"))
        .explode("variant")
        .with_row_index("row")
    )
    chosen = dropped_out(units(base, recipe, token_counts), base, recipe)
    spent = _spend(chosen, recipe, token_counts)
    kept = spent.filter("fits")
    counted = recipe.token_budget is not None
    tokens = pl.col("tokens").fill_null(0) if counted else pl.lit(None, dtype=pl.Int32)
    cut = spent.filter(~pl.col("fits")).group_by("row", maintain_order=True).agg(cut="text")
    return (
        base.select("row", "image_id", "variant", "caption")
        .join(_assembled(kept, recipe), on="row", how="left")
        .join(cut, on="row", how="left")
        .sort("row")
        .select(
            "image_id",
            "variant",
            pl.col("prompt").fill_null(""),
            "caption",
            pl.col("groups").fill_null([]),
            tokens.alias("tokens"),
            pl.col("cut").fill_null([]),
        )
    )


def _spend(chosen: pl.LazyFrame, recipe: RecipeConfig, token_counts: pl.LazyFrame) -> pl.LazyFrame:
    """Add `fits`: whether the budget reaches the unit; in the order in which it is spent."""
    ordered = chosen.sort("key")
    if recipe.token_budget is None:
        return ordered.with_columns(fits=pl.lit(True))
    mark = group_mark(recipe)
    if mark is not None:
        marks = token_counts.filter(pl.col("text") == mark).select(mark=pl.col("tokens").first())
        same_row = pl.col("row") == pl.col("row").shift()
        opens = same_row & (pl.col("rank") != pl.col("rank").shift())
        ordered = (
            ordered.join(marks, how="cross", maintain_order="left")
            .with_columns(tokens=pl.col("tokens") + opens.fill_null(False) * pl.col("mark"))
            .with_columns(pl.col("tokens").cast(pl.Int32))
        )
    alone = pl.col("tokens") <= recipe.token_budget
    cost = pl.when(alone).then(pl.col("tokens")).otherwise(0).cast(pl.Int64)
    starts = (pl.col("row") != pl.col("row").shift()).fill_null(True)
    total = pl.col("total")
    before = pl.when(starts).then(total - cost).forward_fill()
    return ordered.with_columns(total=cost.cum_sum()).with_columns(
        fits=alone & (total - before <= recipe.token_budget)
    )


def _assembled(kept: pl.LazyFrame, recipe: RecipeConfig) -> pl.LazyFrame:
    """row, prompt, groups, tokens: the units of each prompt in the recipe's order."""
    names = [group.name for group in recipe.groups]
    group = pl.col("rank").replace_strict(list(range(len(names))), names, return_dtype=pl.String)
    row, rank = pl.col("row").cast(pl.UInt64), pl.col("rank").cast(pl.UInt64)
    place = pl.col("key") % 2**PLACE_BITS
    return (
        kept.with_columns(order=row * 2**ROW_BITS + rank * 2**PLACE_BITS + place)
        .sort("order")
        .group_by("row", "rank", maintain_order=True)
        .agg(tags="text", tokens=pl.col("tokens").sum())
        .with_columns(group=group, part=pl.col("tags").list.join(recipe.separator))
        .group_by("row", maintain_order=True)
        .agg(
            prompt=pl.col("part").str.join(recipe.group_separator),
            groups=pl.struct("group", "tags"),
            tokens=pl.col("tokens").sum(),
        )
    )
