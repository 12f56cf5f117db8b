"""The words of a prompt: what each tag and field of an image says, and in which group."""

import re

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig

FIELDS = ("rating", "tier", "year", "period", "caption")


def tag_text(tag: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """What a tag says in a prompt (String); null for one that the recipe strips or bans."""
    patterns = "|".join(re.escape(item).replace(r"\*", ".*") for item in recipe.strip)
    unwanted = tag.is_in(recipe.banned)
    if patterns:
        unwanted = unwanted | tag.str.contains(f"^(?:{patterns})$")
    short = tag.str.len_chars() <= recipe.keep_underscore_length
    plain = tag.str.replace_all("_", " ", literal=True)
    return pl.when(~unwanted).then(pl.when(short).then(tag).otherwise(plain))


def listed_rank(tag: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """The index of the first group that lists the tag itself (UInt8), null where none does."""
    ranks: dict[str, int] = {}
    for rank, group in enumerate(recipe.groups):
        for name in group.tags:
            ranks.setdefault(name, rank)
    if not ranks:
        return pl.lit(None, dtype=pl.UInt8)
    return tag.replace_strict(ranks, default=None, return_dtype=pl.UInt8)


def category_rank(category: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """The index of the first group of a category (UInt8), null where no group takes it."""
    cases = [
        pl.when(category.is_in(group.categories)).then(pl.lit(rank, dtype=pl.UInt8))
        for rank, group in enumerate(recipe.groups)
        if group.categories
    ]
    return pl.coalesce(*cases, pl.lit(None, dtype=pl.UInt8))


def field_texts(recipe: RecipeConfig) -> dict[int, pl.Expr]:
    """For each group that is no group of tags, by its index: what the image says there."""
    said = {
        "rating": _worded("rating", recipe.rating_words),
        "quality": _worded("tier", recipe.tier_words),
        "year": pl.format(recipe.year_word.replace("{year}", "{}"), pl.col("year")),
        "period": pl.col("period"),
        "caption": pl.col("caption").str.replace_all(r"\s+", " ").str.strip_chars(),
    }
    return {rank: said[g.kind] for rank, g in enumerate(recipe.groups) if g.kind != "tags"}


def _worded(column: str, words: dict) -> pl.Expr:
    if not words:
        return pl.lit(None, dtype=pl.String)
    return pl.col(column).replace_strict(words, default=None, return_dtype=pl.String)


def counted(text: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """The string whose tokens are counted: the text with the separator's mark.

    CLIP's tokenizer never joins across a blank, but it does join marks (`),`), so counting the
    mark with the text makes the sum of the parts an upper bound of the whole.
    """
    return text + recipe.separator.rstrip()


def group_mark(recipe: RecipeConfig) -> str | None:
    """The mark between groups where it costs tokens of its own, else null."""
    same = recipe.group_separator == recipe.separator
    return None if same else recipe.group_separator.strip()
