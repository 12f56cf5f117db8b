"""Prompts of a recipe: the most certain tags first, in its order, within its token budget."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.assemble import CUT, PART, Pieces, assembled, cut_off, pieces
from dataproc_assets.transforms.budget import Marks, mark_tokens, spend
from dataproc_assets.transforms.dropout import dropped_out
from dataproc_assets.transforms.units import Count, Said, said_by, units

PROMPT_SCHEMA = pl.Schema(
    {
        "image_id": pl.String,
        "variant": pl.Int32,
        "prompt": pl.String,
        "caption": pl.String,
        "groups": pl.List(PART),
        "tokens": pl.Int32,
        "cut": pl.List(CUT),
    }
)
READ = (
    *("image_id", "tags", "rating", "tier", "tier_percentile"),
    *("created", "year", "period", "caption"),
)
"""The columns of `images` that a prompt is made of."""

SLICE = 1 << 14
"""Images at a time and thread: their units stay in a processor's cache."""


def prompts(images: pl.DataFrame, recipe: RecipeConfig, count: Count, as_of: date) -> pl.DataFrame:
    """One row a prompt, sorted by image_id and variant: PROMPT_SCHEMA.

    Args:
        images: the columns READ; `tags` are List(Struct{tag, category, confidence, …}), the most
            certain first.
        recipe: order, words, budget, dropout, prompts an image.
        count: tokens of texts, without start and end; asked only where the recipe has a budget.
        as_of: the day to which ages count.

    `groups` are the prompt's parts, with the confidence of what is a tag. `tokens` is an upper
    bound without start and end, null without budget; `cut` is what the budget cut, the first to
    return first. A unit that alone is over the budget is cut and costs nothing; from the first
    other that does not fit on, all are cut.
    """
    rows = images.select(READ)
    if not rows["image_id"].is_sorted():
        rows = rows.sort("image_id")
    if rows.is_empty():
        return PROMPT_SCHEMA.to_frame()
    said = said_by(rows, recipe, count, as_of)
    texts, marks = pieces(said.words, recipe), mark_tokens(recipe, count)
    starts = range(0, rows.height, SLICE)
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        parts = pool.map(lambda start: _slice(rows, start, said, texts, recipe, marks), starts)
        return pl.concat(list(parts))


def _slice(
    rows: pl.DataFrame, start: int, said: Said, texts: Pieces, recipe: RecipeConfig, marks: Marks
) -> pl.DataFrame:
    """The prompts of SLICE images from `start` on."""
    images = rows.slice(start, SLICE)
    variants = pl.int_ranges(0, pl.lit(recipe.variants), dtype=pl.Int32).alias("variant")
    names = images.select("image_id", "caption", variants).explode("variant")
    name = pl.concat_str("image_id", pl.col("variant").cast(pl.String), separator="/")
    every = units(said, start, start + images.height, recipe).repeated(recipe.variants)
    chosen = dropped_out(every, names.select(name).to_series(), said.words, recipe)
    fits, tokens = spend(chosen, said.words, recipe, marks)
    made = assembled(chosen.only(fits), texts, said.words, recipe)
    spent = pl.Series("tokens", tokens, dtype=pl.Int32)
    return names.with_columns(
        made["prompt"],
        made["groups"],
        spent if recipe.token_budget is not None else pl.lit(None, pl.Int32).alias("tokens"),
        cut_off(chosen, fits, said.words, recipe),
    ).select(PROMPT_SCHEMA.names())
