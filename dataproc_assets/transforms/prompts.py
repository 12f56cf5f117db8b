"""Prompts of a recipe: the most certain tags first, in its order, within its token budget."""

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.dropout import dropped_out
from dataproc_assets.transforms.units import PLACE_BITS, PRIORITY_BITS, ROW_BITS, units
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
    # rows are numbered by rank: to sort the images would move their lists of tags
    number = (pl.col("image_id").rank("ordinal") - 1).cast(pl.UInt64) * recipe.variants
    base = (
        images.select("image_id", "tags", "rating", "tier", "year", "period", "caption")
        .with_columns(variants.alias("variant"), number.alias("row"))
        .explode("variant")
        .with_columns(pl.col("row") + pl.col("variant").cast(pl.UInt64))
    )
    chosen = dropped_out(units(base, recipe, token_counts), base, recipe)
    spent = _spend(chosen.select("key", "text", "tokens"), recipe, token_counts)
    counted = recipe.token_budget is not None
    tokens = pl.col("tokens").fill_null(0) if counted else pl.lit(None, dtype=pl.Int32)
    cut = (
        spent.filter(~pl.col("fits"))
        .group_by(_ROW.set_sorted().alias("row"), maintain_order=True)
        .agg(pl.col("text").alias("cut"))
    )
    return (
        base.select("row", "image_id", "variant", "caption")
        .sort("row")
        .join(_assembled(spent, recipe), on="row", how="left", maintain_order="left")
        .join(cut, on="row", how="left", maintain_order="left")
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


_ROW = pl.col("key") // 2**ROW_BITS
_GROUP = pl.col("key") // 2**PLACE_BITS


def _spend(chosen: pl.LazyFrame, recipe: RecipeConfig, token_counts: pl.LazyFrame) -> pl.LazyFrame:
    """key, text, tokens and `fits`, whether the budget reaches the unit; in order of key."""
    ordered = chosen.sort("key")
    if recipe.token_budget is None:
        return ordered.with_columns(fits=pl.lit(True))
    starts = (_ROW.shift() != _ROW).fill_null(True)
    mark = group_mark(recipe)
    if mark is not None:
        marks = token_counts.filter(pl.col("text") == mark).select(mark=pl.col("tokens").first())
        opens = (_GROUP.shift() != _GROUP).fill_null(True) & ~starts
        ordered = (
            ordered.join(marks, how="cross", maintain_order="left")
            .with_columns(
                (pl.col("tokens") + opens * pl.col("mark")).cast(pl.Int32).alias("tokens")
            )
            .drop("mark")
        )
    alone = pl.col("tokens") <= recipe.token_budget
    cost = pl.when(alone).then(pl.col("tokens")).otherwise(0).cast(pl.Int64)
    total = pl.col("total")
    before = pl.when(starts).then(total - cost).forward_fill()
    return ordered.with_columns(total=cost.cum_sum()).with_columns(
        fits=alone & (total - before <= recipe.token_budget)
    )


def _assembled(spent: pl.LazyFrame, recipe: RecipeConfig) -> pl.LazyFrame:
    """row, prompt, groups, tokens: what the budget reaches, in the recipe's order.

    Units arrive in the order of priorities; their groups, which are far fewer, are then sorted.
    """
    ranked = sorted(enumerate(recipe.groups), key=lambda item: item[1].priority)
    priorities = [group.priority for _, group in ranked]
    names = [group.name for _, group in ranked]
    priority = pl.col("group") % 2**PRIORITY_BITS
    row = pl.col("group") // 2**PRIORITY_BITS
    rank = priority.replace_strict(priorities, [rank for rank, _ in ranked], return_dtype=pl.UInt64)
    return (
        spent.filter("fits")
        .group_by(_GROUP.set_sorted().alias("group"), maintain_order=True)
        .agg(tags="text", tokens=pl.col("tokens").sum())
        .select(
            "tags",
            "tokens",
            part=pl.col("tags").list.join(recipe.separator),
            order=row * 2**PRIORITY_BITS + rank,
            group=priority.replace_strict(priorities, names, return_dtype=pl.String),
        )
        .sort("order")
        .group_by(
            (pl.col("order") // 2**PRIORITY_BITS).set_sorted().alias("row"), maintain_order=True
        )
        .agg(
            pl.col("part"),
            groups=pl.struct("group", "tags"),
            tokens=pl.col("tokens").sum(),
        )
        .with_columns(prompt=pl.col("part").list.join(recipe.group_separator))
        .drop("part")
    )
