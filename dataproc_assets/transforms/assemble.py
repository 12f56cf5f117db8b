"""Prompts put together of the units that are in, and their parts."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.nested import nest, offsets_of, pick, pick_joined
from dataproc_assets.transforms.units import Units, Words

PART = pl.Struct(
    {"group": pl.String, "tags": pl.List(pl.String), "confidence": pl.List(pl.Float64)}
)
CUT = pl.Struct({"group": pl.String, "tag": pl.String, "confidence": pl.Float64})


class Pieces(NamedTuple):
    """Every text behind every mark that can stand before it: `texts` in runs of `each`."""

    texts: pl.Series
    each: int


def pieces(words: Words, recipe: RecipeConfig) -> Pieces:
    """The texts of a recipe as they stand in a prompt."""
    marks = ["", " ", recipe.separator, recipe.group_separator, *_section_marks(recipe)]
    texts = pl.concat(
        [words.texts.to_frame("t").select(pl.lit(mark) + pl.col("t")) for mark in marks]
    )
    return Pieces(texts.to_series(), len(words.texts))


_JOINED, _SAME, _OTHER, _SECTION = range(1, 5)


def _section_marks(recipe: RecipeConfig) -> list[str]:
    """The marks that open a section: after another, one to all further; then at the start."""
    if recipe.section_separator is None:
        return []
    further = range(1, recipe.groups[-1].section + 1)
    again = f"{recipe.section_separator.strip()} "
    opening = [recipe.section_separator + again * (steps - 1) for steps in further]
    return opening + [again * steps for steps in further]


def assembled(chosen: Units, said: Pieces, words: Words, recipe: RecipeConfig) -> pl.DataFrame:
    """`prompt` String and `groups` List(PART) of prompts."""
    rank, word = chosen.rank, chosen.word
    first = np.zeros(len(rank) + 1, np.bool_)
    first[chosen.offsets] = True
    first = first[:-1]
    opens = first.copy()
    opens[1:] |= rank[1:] != rank[:-1]
    mark = _marks(rank, first, opens, recipe)
    piece = mark * np.int64(said.each) + word
    prompt = pick_joined(said.texts, piece, chosen.offsets)
    starts = np.append(np.flatnonzero(opens), len(rank))
    parts = pl.DataFrame(
        {
            "group": pick(_names(recipe), rank[starts[:-1]]),
            "tags": nest(pick(words.texts, word), starts),
            "confidence": nest(pl.Series(chosen.confidence).fill_nan(None), starts),
        }
    )
    bounds = offsets_of(opens)[chosen.offsets]
    groups = nest(parts.to_struct("groups"), bounds)
    ends = _endings(chosen, recipe)
    return pl.DataFrame({"prompt": prompt if ends is None else prompt + ends, "groups": groups})


def cut_off(
    chosen: Units, fits: NDArray[np.bool_], words: Words, recipe: RecipeConfig
) -> pl.Series:
    """What is not in, `cut` List(CUT), the first to return first."""
    out = chosen.only(~fits)
    priority = np.array([group.priority for group in recipe.groups])[out.rank]
    order = np.argsort(out.prompt * (priority.max(initial=0) + 1) + priority, kind="stable")
    units = pl.DataFrame(
        {
            "group": pick(_names(recipe), out.rank[order]),
            "tag": pick(words.texts, out.word[order]),
            "confidence": pl.Series(out.confidence[order]).fill_nan(None),
        }
    )
    return nest(units.to_struct("cut"), out.offsets)


def _marks(
    rank: NDArray[np.uint8],
    first: NDArray[np.bool_],
    opens: NDArray[np.bool_],
    recipe: RecipeConfig,
) -> NDArray[np.int64]:
    """The number of the mark before each unit, as `pieces` has them."""
    prose = np.array([group.kind == "caption" for group in recipe.groups])
    mark = np.where(opens, _OTHER, np.where(prose[rank], _JOINED, _SAME))
    if recipe.section_separator is None:
        return np.where(first, 0, mark)
    section = np.array([group.section for group in recipe.groups])[rank]
    last = recipe.groups[-1].section
    step = np.diff(section, prepend=0)
    mark = np.where(step > 0, _SECTION + step - 1, mark)
    return np.where(first, np.where(section > 0, _SECTION + last + section - 1, 0), mark)


def _endings(chosen: Units, recipe: RecipeConfig) -> pl.Series | None:
    """The marks of the sections after the last that a prompt has, none for an empty prompt."""
    if recipe.section_separator is None:
        return None
    sections = np.array([group.section for group in recipe.groups])
    filled = np.diff(chosen.offsets) > 0
    left = np.zeros(len(filled), np.int64)
    left[filled] = sections[-1] - sections[chosen.rank[chosen.offsets[1:][filled] - 1]]
    mark = f" {recipe.section_separator.strip()}"
    return pl.Series([mark * steps for steps in range(sections[-1] + 1)]).gather(left)


def _names(recipe: RecipeConfig) -> pl.Series:
    return pl.Series([group.name for group in recipe.groups], dtype=pl.String)
