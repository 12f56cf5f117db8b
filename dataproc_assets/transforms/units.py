"""The units of prompts: one a tag or word of an image, in the order of the recipe's groups.

A unit is never split. What a tag says, in which group and at what cost, is decided once for each
different tag; the units themselves are arrays of integers.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.draws import hash64
from dataproc_assets.transforms.integers import ranges
from dataproc_assets.transforms.nested import Encoded, compact, flatten, number, offsets_of
from dataproc_assets.transforms.words import (
    category_rank,
    counted,
    field_texts,
    listed_rank,
    tag_text,
)

CELLS = (1 << 16) - 1
"""Images times groups at a time at most: what tells them apart has 16 bits, and one for none."""

Count = Callable[[list[str]], list[int]]
"""Texts to their numbers of tokens, without start and end."""

NO_GROUP, BY_CATEGORY = 255, 254
"""The group of a tag that is in none, and of one whose category says it."""


class Words(NamedTuple):
    """All that prompts are made of.

    `texts` String; of each, `tokens` int64, `hashes` uint64, and whether it `is_protected`.
    """

    texts: pl.Series
    tokens: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    is_protected: NDArray[np.bool_]


class Said(NamedTuple):
    """What images say: numbers of `words`, in groups, a list an image.

    Attributes:
        words: the texts: that of each different tag, empty where it is unwanted, then the others.
        group: uint8, of each different tag the group that lists it, or BY_CATEGORY, or NO_GROUP
            where it is unwanted.
        tags: of each tag its category and confidence, one after the other.
        word: uint32, the text of each.
        offsets: int64, where each image's tags begin.
        fields: by group, the offsets and the words of what is no tag.
    """

    words: Words
    group: NDArray[np.uint8]
    tags: pl.DataFrame
    word: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    fields: dict[int, tuple[NDArray[np.int64], NDArray[np.uint32]]]


class Units(NamedTuple):
    """The units of some prompts, in the order of their groups, the most certain first.

    Those of group g of prompt p are the ones from `bounds[p * groups + g]` up to the next bound.
    `word` uint32 is the text, `confidence` float64 is NaN for what is no tag.
    """

    groups: int
    bounds: NDArray[np.int64]
    word: NDArray[np.uint32]
    confidence: NDArray[np.float64]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """How many units each group of each prompt has, [prompts, groups]."""
        return np.diff(self.bounds).reshape(-1, self.groups)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Where the units of each prompt begin, and where the last one's end."""
        return self.bounds[:: self.groups]

    def each(self, of_groups: NDArray) -> NDArray:
        """What is said of groups, of each unit."""
        sizes = np.diff(self.bounds)
        return np.repeat(np.tile(of_groups, len(sizes) // self.groups), sizes)

    def only(self, chosen: NDArray[np.bool_]) -> "Units":
        """The chosen units of all prompts."""
        bounds = offsets_of(chosen)[self.bounds]
        # numbers first: to gather by a mask takes several times as long
        return self._taken(bounds, np.flatnonzero(chosen))

    def by(self, order: NDArray[np.int64], chosen: NDArray[np.bool_]) -> "Units":
        """The chosen units, the groups of each prompt in another order: first `order[0]`."""
        bounds = offsets_of(chosen)[self.bounds]
        starts = bounds[:-1].reshape(-1, self.groups)[:, order].ravel()
        sizes = np.diff(bounds).reshape(-1, self.groups)[:, order].ravel()
        return self._taken(offsets_of(sizes), np.flatnonzero(chosen)[ranges(starts, sizes)])

    def repeated(self, times: int) -> "Units":
        """Each prompt so many times, one after the other."""
        if times == 1:
            return self
        starts = np.repeat(self.bounds[:-1].reshape(-1, self.groups), times, axis=0).ravel()
        sizes = np.repeat(self.sizes, times, axis=0).ravel()
        return self._taken(offsets_of(sizes), ranges(starts, sizes))

    def _taken(self, bounds: NDArray[np.int64], index: NDArray[np.int64]) -> "Units":
        return Units(self.groups, bounds, self.word.take(index), self.confidence.take(index))


def said_by(images: pl.DataFrame, recipe: RecipeConfig, count: Count, as_of: date) -> Said:
    """What each image says in a recipe's words.

    Args:
        images: tags List(Struct{tag, category, confidence, …}) and what `field_texts` reads.
        recipe: hygiene, groups and words.
        count: called once with all texts, each with the separator's mark (`smile,`), where the
            recipe has a budget.
        as_of: the day to which ages count.
    """
    tags, offsets = flatten(images["tags"])
    of_fields = field_texts(recipe, as_of)
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        fields = pool.map(lambda text: _field(images, text), of_fields.values())
        names, word = number(tags.struct.field("tag"))
    # the last is no tag's name: it says nothing
    every = pl.concat([names, names.clear(1)]).to_frame("tag")
    known = every.select(
        text=tag_text(pl.col("tag"), recipe),
        listed=listed_rank(pl.col("tag"), recipe).fill_null(BY_CATEGORY),
        protected=pl.col("tag").is_in(recipe.protected).fill_null(False),
    )
    group = pl.when(pl.col("text").is_null()).then(NO_GROUP).otherwise("listed")
    texts = [known["text"]]
    placed: dict[int, tuple[NDArray[np.int64], NDArray[np.uint32]]] = {}
    for rank, (bounds, (different, code)) in zip(of_fields, fields, strict=True):
        placed[rank] = bounds, code + np.uint32(sum(map(len, texts)))
        texts.append(different)
    said = pl.concat([one.rename("text") for one in texts])
    protected = np.zeros(len(said), np.bool_)
    protected[: len(known)] = known["protected"].to_numpy()
    return Said(
        _words(said, protected, recipe, count),
        _numbers(group, known),
        tags.to_frame("tag").unnest("tag").select("category", "confidence"),
        word,
        offsets,
        placed,
    )


def units(said: Said, start: int, stop: int, recipe: RecipeConfig) -> Units:
    """The units of the images from `start` up to `stop`, one prompt each.

    Images times groups are at most CELLS.
    """
    images, groups = stop - start, len(recipe.groups)
    first, last = said.offsets[start], said.offsets[stop]
    word, own = said.word[first:last], said.tags[first:last]
    group = said.group.take(word)
    group = np.where(group == BY_CATEGORY, _by_category(own["category"], recipe), group)
    # image and group in one number of 16 bits: NumPy sorts such numbers by their digits
    begin = np.arange(images, dtype=np.uint16) * np.uint16(groups)
    cell = np.repeat(begin, np.diff(said.offsets[start : stop + 1])) + group
    cells, words = [np.where(group == NO_GROUP, np.uint16(CELLS), cell)], [word]
    for field, (bounds, texts) in said.fields.items():
        cells.append(np.repeat(begin + np.uint16(field), np.diff(bounds[start : stop + 1])))
        words.append(texts[bounds[start] : bounds[stop]])
    cell = np.concatenate(cells)
    bounds = offsets_of(np.bincount(cell, minlength=images * groups)[: images * groups])
    order = np.argsort(cell, kind="stable")[: bounds[-1]]
    unsure = np.full(len(cell) - len(word), np.nan)
    sure = np.concatenate([own["confidence"].to_numpy(), unsure])
    return Units(groups, bounds, np.concatenate(words).take(order), sure.take(order))


def _by_category(category: pl.Series, recipe: RecipeConfig) -> NDArray[np.uint8]:
    """The group of each category, NO_GROUP where no group takes it."""
    every = [name for group in recipe.groups for name in group.categories]
    names = pl.Series("category", every, pl.String).unique(maintain_order=True)
    group = _numbers(category_rank(pl.col("category"), recipe), names.to_frame())
    # a cast runs in this thread, as an expression on so many rows would not: it would wait for
    # those of the other slices
    known = category.cast(pl.Enum(names), strict=False).to_physical().to_arrow()
    return np.append(group, np.uint8(NO_GROUP)).take(known.fill_null(len(names)))


def _numbers(group: pl.Expr, rows: pl.DataFrame) -> NDArray[np.uint8]:
    return rows.select(group.cast(pl.UInt8).alias("group"))["group"].to_numpy()


def _field(images: pl.DataFrame, text: pl.Expr) -> tuple[NDArray[np.int64], Encoded]:
    """What a field says of each image, as lists of any number of texts: offsets and texts."""
    texts = images.select(text.alias("text")).to_series()
    if texts.dtype == pl.List:
        values, bounds = flatten(texts)
        return bounds, number(values)
    return offsets_of(texts.is_not_null().to_numpy()), number(texts.drop_nulls())


def _words(
    texts: pl.Series, is_protected: NDArray[np.bool_], recipe: RecipeConfig, count: Count
) -> Words:
    table = texts.to_frame("text")
    tokens = np.zeros(len(texts), np.int64)
    if recipe.token_budget is not None:
        spelt = table.select(counted(pl.col("text"), recipe)).to_series()
        tokens[spelt.is_not_null().to_numpy()] = count(spelt.drop_nulls().to_list())
    hashes = table.select(hash64(recipe.seed, pl.col("text").fill_null(""))).to_series().to_numpy()
    return Words(compact(texts.fill_null("")), tokens, hashes, is_protected)
