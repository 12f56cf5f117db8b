"""Prompts of a recipe: the most certain tags first, in its order, within its token budget."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import numpy as np
import polars as pl

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.assemble import CUT, PART, Pieces, assembled, cut_off, pieces
from dataproc_assets.transforms.budget import Costs, costs, spend
from dataproc_assets.transforms.dropout import dropped_out
from dataproc_assets.transforms.units import CELLS, Count, Said, said_by, units

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
    texts, cost = pieces(said.words, recipe), costs(said.words, recipe, count)
    size = min(SLICE, CELLS // len(recipe.groups))
    starts = range(0, rows.height, size)
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        parts = pool.map(
            lambda start: _slice(rows.slice(start, size), start, said, texts, recipe, cost), starts
        )
        return pl.concat(list(parts))


def _slice(
    images: pl.DataFrame,
    start: int,
    said: Said,
    texts: Pieces,
    recipe: RecipeConfig,
    cost: Costs | None,
) -> pl.DataFrame:
    """The prompts of some images, of which the first is number `start` of `said`."""
    names = _numbered(images[["image_id", "caption"]], recipe.variants)
    every = units(said, start, start + images.height, recipe).repeated(recipe.variants)
    chosen = dropped_out(every, names, said.words, recipe)
    fits, tokens = spend(chosen, cost, recipe)
    made = assembled(chosen.only(fits), texts, said.words, recipe)
    cut = cut_off(chosen, fits, said.words, recipe)
    spent = pl.Series("tokens", [None] * len(names) if tokens is None else tokens, pl.Int32)
    # without expressions: these are worked out by threads that all slices share
    return names.hstack([*made, spent, cut])[PROMPT_SCHEMA.names()]


def _numbered(images: pl.DataFrame, variants: int) -> pl.DataFrame:
    """Each image as many times as it has prompts, which are its `variant` Int32."""
    numbers = np.tile(np.arange(variants, dtype=np.int32), images.height)
    if variants > 1:
        images = images[np.repeat(np.arange(images.height), variants)]
    return images.hstack([pl.Series("variant", numbers)])
