"""The words of a prompt: what each tag and field of an image says, and in which group."""

import re
from collections.abc import Sequence
from datetime import date

import polars as pl

from dataproc_assets.config.recipes import QualityCut, RecipeConfig

_SENTENCE_END = r"([.!?]['\")\]]*) |([。！？])"


def tag_text(tag: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """What a tag says in a prompt (String); null for one that the recipe strips or bans."""
    patterns = "|".join(re.escape(item).replace(r"\*", ".*") for item in recipe.strip)
    unwanted = tag.is_in(recipe.banned)
    if patterns:
        unwanted = unwanted | tag.str.contains(f"^(?:{patterns})$")
    short = tag.str.len_chars() <= recipe.keep_underscore_length
    plain = _without(["_", *_marks(recipe)], tag)
    said = pl.when(short).then(_without(_marks(recipe)[1:], tag)).otherwise(plain)
    return pl.when(~unwanted & (said != "")).then(said)


def _marks(recipe: RecipeConfig) -> list[str]:
    """The marks at which a trainer cuts a prompt, the one between two tags first."""
    others = {recipe.group_separator.strip(), (recipe.section_separator or "").strip()}
    first = recipe.separator.strip()
    return [first, *sorted(others - {first, ""})]


def _without(marks: Sequence[str], text: pl.Expr) -> pl.Expr:
    """The text with blanks in place of the marks, and blanks joined."""
    pattern = "|".join(re.escape(mark) for mark in marks if mark)
    spaced = text.str.replace_all(pattern, " ") if pattern else text
    return spaced.str.replace_all(r"\s+", " ").str.strip_chars()


def listed_rank(tag: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """The index of the first group that lists the tag itself (UInt8), null where none does."""
    ranks: dict[str, int] = {}
    for rank, group in enumerate(recipe.groups):
        for name in group.tags:
            ranks.setdefault(name, rank)
    return tag.replace_strict(ranks, default=None, return_dtype=pl.UInt8)


def category_rank(category: pl.Expr, recipe: RecipeConfig) -> pl.Expr:
    """The index of the first group of a category (UInt8), null where no group takes it."""
    ranks: dict[str, int] = {}
    for rank, group in enumerate(recipe.groups):
        for name in group.categories:
            ranks.setdefault(name, rank)
    return category.replace_strict(ranks, default=None, return_dtype=pl.UInt8)


def field_texts(recipe: RecipeConfig, as_of: date) -> dict[int, pl.Expr]:
    """For each group that is no group of tags, by its index: what the image says there.

    String, but a caption is a List(String) of its sentences, so that a budget can end between
    two. `as_of` is the day to which the age of an image counts.
    """
    said = {
        "rating": _worded("rating", recipe.rating_words),
        "quality": _quality(recipe, as_of),
        "year": pl.format(recipe.year_word.replace("{year}", "{}"), pl.col("year")),
        "period": pl.col("period"),
        "caption": sentences(_without(_marks(recipe)[1:], pl.col("caption"))),
    }
    return {rank: said[g.kind] for rank, g in enumerate(recipe.groups) if g.kind != "tags"}


def sentences(text: pl.Expr) -> pl.Expr:
    """The sentences of a text without breaks, List(String); null for null, none for no text."""
    ended = text.str.replace_all(_SENTENCE_END, "${1}${2}\n")
    return ended.str.split("\n").list.eval(pl.element().filter(pl.element() != ""))


def _worded(column: str, words: dict) -> pl.Expr:
    if not words:
        return pl.lit(None, dtype=pl.String)
    return pl.col(column).replace_strict(words, default=None, return_dtype=pl.String)


def _quality(recipe: RecipeConfig, as_of: date) -> pl.Expr:
    if recipe.quality is None:
        return _worded("tier", recipe.tier_words)
    words, newer = _cut(recipe.quality.cuts), recipe.quality.newer
    if newer is None:
        return words
    age = (pl.lit(as_of) - pl.col("created").dt.date()).dt.total_days()
    return pl.when(age < newer.days).then(_cut(newer.cuts)).otherwise(words)


def _cut(cuts: Sequence[QualityCut]) -> pl.Expr:
    percentile = pl.col("tier_percentile")
    return pl.coalesce(*[pl.when(percentile > cut.above).then(pl.lit(cut.words)) for cut in cuts])


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
