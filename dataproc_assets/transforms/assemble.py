"""Prompts put together of the units that are in, and their parts."""

from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.nested import laid_out, nest, offsets_of, pick, pick_joined
from dataproc_assets.transforms.units import Units, Words

PART = pl.Struct(
    {"group": pl.String, "tags": pl.List(pl.String), "confidence": pl.List(pl.Float64)}
)
CUT = pl.Struct({"group": pl.String, "tag": pl.String, "confidence": pl.Float64})


class Pieces(NamedTuple):
    """Every text behind every mark that can stand before it: `texts` in runs of `each`."""

    texts: pa.Array
    each: int


def pieces(words: Words, recipe: RecipeConfig) -> Pieces:
    """The texts of a recipe as they stand in a prompt."""
    marks = ["", " ", recipe.separator, recipe.group_separator, *_section_marks(recipe)]
    texts = pl.concat(
        [words.texts.to_frame("t").select(pl.lit(mark) + pl.col("t")) for mark in marks]
    )
    return Pieces(laid_out(texts.to_series()), len(words.texts))


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
    filled = chosen.sizes > 0
    parts = np.flatnonzero(filled)
    starts = np.append(chosen.bounds[parts], chosen.bounds[-1])
    inner, opening = _marks(filled, recipe)
    piece = chosen.word + chosen.each(inner * np.int64(said.each))
    piece[starts[:-1]] = chosen.word[starts[:-1]] + opening * np.int64(said.each)
    prompt = pick_joined(said.texts, piece, chosen.offsets)
    table = pl.DataFrame(
        {
            "group": pick(_names(recipe), parts % chosen.groups),
            "tags": nest(pick(words.texts, chosen.word), starts),
            "confidence": nest(_sure(chosen.confidence), starts),
        }
    )
    groups = nest(table.to_struct("groups"), offsets_of(np.count_nonzero(filled, axis=1)))
    ends = _endings(filled, recipe)
    return pl.DataFrame({"prompt": prompt if ends is None else prompt + ends, "groups": groups})


def cut_off(
    chosen: Units, fits: NDArray[np.bool_], words: Words, recipe: RecipeConfig
) -> pl.Series:
    """What is not in, `cut` List(CUT), the first to return first."""
    order = np.argsort([group.priority for group in recipe.groups])
    out = chosen.by(order, ~fits)
    units = pl.DataFrame(
        {
            "group": pick(_names(recipe), out.each(order)),
            "tag": pick(words.texts, out.word),
            "confidence": _sure(out.confidence),
        }
    )
    return nest(units.to_struct("cut"), out.offsets)


def _marks(
    filled: NDArray[np.bool_], recipe: RecipeConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of the marks, as `pieces` has them: inside each group, and before each part."""
    inner = np.array([_JOINED if one.kind == "caption" else _SAME for one in recipe.groups])
    prompt, group = np.nonzero(filled)
    first = np.diff(prompt, prepend=-1) > 0
    if recipe.section_separator is None:
        return inner, np.where(first, 0, _OTHER)
    section = np.array([one.section for one in recipe.groups])[group]
    last = recipe.groups[-1].section
    step = np.diff(section, prepend=0)
    mark = np.where(step > 0, _SECTION + step - 1, _OTHER)
    return inner, np.where(first, np.where(section > 0, _SECTION + last + section - 1, 0), mark)


def _endings(filled: NDArray[np.bool_], recipe: RecipeConfig) -> pl.Series | None:
    """The marks of the sections after the last that a prompt has, none for an empty prompt."""
    if recipe.section_separator is None:
        return None
    sections = np.array([group.section for group in recipe.groups])
    last = np.max(np.where(filled, sections, 0), axis=1)
    left = np.where(filled.any(axis=1), sections[-1] - last, 0)
    mark = f" {recipe.section_separator.strip()}"
    return pl.Series([mark * steps for steps in range(sections[-1] + 1)]).gather(left)


def _sure(confidence: NDArray[np.float64]) -> pl.Series:
    """Confidences, null for NaN."""
    return pl.Series(pa.array(confidence, from_pandas=True))


def _names(recipe: RecipeConfig) -> pl.Series:
    return pl.Series([group.name for group in recipe.groups], dtype=pl.String)
