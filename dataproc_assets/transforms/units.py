"""The units of prompts: one row a tag or word, in the order in which the budget is spent.

A unit is never split. `key` packs (prompt, priority, place) into one integer, so that one sort
of integers orders all prompts at once.
"""

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.words import (
    category_rank,
    counted,
    field_texts,
    group_mark,
    listed_rank,
    tag_text,
)

PLACE_BITS = 16
PRIORITY_BITS = 8
ROW_BITS = PLACE_BITS + PRIORITY_BITS


def texts_to_count(images: pl.LazyFrame, recipe: RecipeConfig) -> pl.LazyFrame:
    """The distinct strings whose CLIP tokens a recipe needs: text str, sorted.

    Count them without start and end tokens. They are the texts of tags and fields with the
    separator's mark (`smile,`), and the mark between groups.
    """
    if recipe.token_budget is None:
        return pl.LazyFrame(schema={"text": pl.String})
    tags = _distinct_tags(images).select(tag_text(pl.col("tag"), recipe).alias("text"))
    fields = [images.select(text.alias("text")).unique() for text in field_texts(recipe).values()]
    texts = pl.concat([tags, *fields]).drop_nulls().select(counted(pl.col("text"), recipe))
    mark = group_mark(recipe)
    marks = pl.LazyFrame({"text": [] if mark is None else [mark]}, schema={"text": pl.String})
    return pl.concat([texts, marks]).unique().sort("text")


def units(base: pl.LazyFrame, recipe: RecipeConfig, token_counts: pl.LazyFrame) -> pl.LazyFrame:
    """row UInt64, rank UInt8 (group), key UInt64, text str, tokens Int32, is_tag, is_protected.

    `base` has `row` UInt64 and the columns of `images`. Fails when the plan runs
    (InvalidOperationError) where a text has no count.
    """
    protected = [rank for rank, group in enumerate(recipe.groups) if group.protected]
    words = _distinct_tags(base).with_columns(tag_text(pl.col("tag"), recipe).alias("text"))
    vocabulary = _with_tokens(words.drop_nulls("text"), recipe, token_counts).with_columns(
        listed_rank(pl.col("tag"), recipe).alias("listed"),
        pl.col("tag").is_in(recipe.protected).alias("is_protected"),
    )
    field = pl.element().struct.field
    tags = (
        base.select(
            "row",
            pl.int_ranges(0, pl.col("tags").list.len(), dtype=pl.UInt16).alias("place"),
            pl.col("tags").list.eval(field("tag")).alias("tag"),
            category_lists(recipe).alias("rank"),
        )
        .explode("place", "tag", "rank")
        .join(vocabulary, on="tag", how="inner")
        .with_columns(pl.coalesce("listed", "rank").alias("rank"))
        .filter(pl.col("rank").is_not_null())
        .with_columns(
            pl.lit(True).alias("is_tag"),
            pl.col("is_protected") | pl.col("rank").is_in(protected),
        )
    )
    fields = [
        _with_tokens(
            base.select("row", text.alias("text")).drop_nulls("text"), recipe, token_counts
        ).with_columns(
            pl.lit(0, dtype=pl.UInt16).alias("place"),
            pl.lit(rank, dtype=pl.UInt8).alias("rank"),
            pl.lit(False).alias("is_tag"),
            pl.lit(True).alias("is_protected"),
        )
        for rank, text in field_texts(recipe).items()
    ]
    columns = ["row", "rank", "place", "text", "tokens", "is_tag", "is_protected"]
    return pl.concat([part.select(columns) for part in (tags, *fields)]).with_columns(
        _key(recipe).alias("key")
    )


def category_lists(recipe: RecipeConfig) -> pl.Expr:
    """The group of each tag by its category: List(UInt8), beside the column `tags`."""
    category = pl.element().struct.field("category")
    return pl.col("tags").list.eval(category_rank(category, recipe))


def _key(recipe: RecipeConfig) -> pl.Expr:
    priorities = [group.priority for group in recipe.groups]
    priority = pl.col("rank").replace_strict(
        list(range(len(priorities))), priorities, return_dtype=pl.UInt64
    )
    place = pl.col("place").cast(pl.UInt64)
    return pl.col("row") * 2**ROW_BITS + priority * 2**PLACE_BITS + place


def _distinct_tags(images: pl.LazyFrame) -> pl.LazyFrame:
    tags = pl.col("tags").list.eval(pl.element().struct.field("tag")).alias("tag")
    return images.select(tags).explode("tag").unique().drop_nulls()


def _with_tokens(
    texts: pl.LazyFrame, recipe: RecipeConfig, token_counts: pl.LazyFrame
) -> pl.LazyFrame:
    if recipe.token_budget is None:
        return texts.with_columns(pl.lit(None, dtype=pl.Int32).alias("tokens"))
    counts = token_counts.select(
        pl.col("text").alias("counted"), pl.col("tokens").cast(pl.String).alias("tokens")
    )
    # a text without a count becomes a sentence that no cast can read: the error shows it
    found = pl.coalesce("tokens", pl.format("no token count for {}", "counted"))
    return (
        texts.with_columns(counted(pl.col("text"), recipe).alias("counted"))
        .join(counts, on="counted", how="left")
        .with_columns(found.cast(pl.Int32).alias("tokens"))
        .drop("counted")
    )
