"""The units of prompts: one a tag or word of an image, in the order of the recipe's groups.

A unit is never split. What a tag says, in which group and at what cost, is decided once for each
different tag; the units themselves are arrays of integers.
"""

from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.config.recipes import RecipeConfig
from dataproc_assets.transforms.draws import hash64
from dataproc_assets.transforms.nested import Flat, flatten, number, offsets_of
from dataproc_assets.transforms.words import (
    category_rank,
    counted,
    field_texts,
    listed_rank,
    tag_text,
)

Count = Callable[[list[str]], list[int]]
"""Texts to their numbers of tokens, without start and end."""

NO_GROUP = 255
NO_WORD = 2**32 - 1


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
        words: the texts.
        tags: of each tag its category and confidence, one after the other.
        offsets: int64, where each image's tags begin.
        code: uint32, which of the different tags each is; of such a one
        word: its text, NO_WORD where it is unwanted;
        listed: the group that lists it, NO_GROUP where none does.
        fields: by group, the offsets and the words of what is no tag.
    """

    words: Words
    tags: pl.DataFrame
    offsets: NDArray[np.int64]
    code: NDArray[np.uint32]
    word: NDArray[np.uint32]
    listed: NDArray[np.uint8]
    fields: dict[int, tuple[NDArray[np.int64], NDArray[np.uint32]]]


class Units(NamedTuple):
    """The units of some prompts; prompt i has those from `offsets[i]` up to `offsets[i + 1]`.

    They stand in the order of their groups, the most certain first. `rank` uint8 is the group,
    `word` uint32 the text, `confidence` float64 is NaN for what is no tag.
    """

    offsets: NDArray[np.int64]
    rank: NDArray[np.uint8]
    word: NDArray[np.uint32]
    confidence: NDArray[np.float64]

    @property
    def prompt(self) -> NDArray[np.int64]:
        """The number of each unit's prompt."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def only(self, chosen: NDArray[np.bool_]) -> "Units":
        """The chosen units of all prompts."""
        sums = offsets_of(chosen)
        return Units(
            sums[self.offsets], self.rank[chosen], self.word[chosen], self.confidence[chosen]
        )

    def repeated(self, times: int) -> "Units":
        """Each prompt so many times, one after the other."""
        if times == 1:
            return self
        sizes = np.repeat(np.diff(self.offsets), times)
        offsets = offsets_of(sizes)
        shift = np.repeat(self.offsets[:-1], times) - offsets[:-1]
        index = np.arange(offsets[-1]) + np.repeat(shift, sizes)
        return Units(offsets, self.rank[index], self.word[index], self.confidence[index])


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
    names, code = number(tags.struct.field("tag"))
    known = names.to_frame("tag").select(
        text=tag_text(pl.col("tag"), recipe),
        listed=listed_rank(pl.col("tag"), recipe),
        protected=pl.col("tag").is_in(recipe.protected),
    )
    wanted = known["text"].is_not_null().to_numpy()
    word = np.full(len(names) + 1, NO_WORD, np.uint32)
    word[:-1][wanted] = np.arange(wanted.sum(), dtype=np.uint32)
    texts = [known["text"].drop_nulls()]
    fields: dict[int, tuple[NDArray[np.int64], NDArray[np.uint32]]] = {}
    for rank, text in field_texts(recipe, as_of).items():
        values, bounds = _listed(images.select(text.alias("text")).to_series())
        different, chosen = number(values)
        fields[rank] = bounds, chosen + np.uint32(sum(map(len, texts)))
        texts.append(different)
    every = pl.concat([one.rename("text") for one in texts])
    protected = np.zeros(len(every), np.bool_)
    protected[: len(texts[0])] = known["protected"].to_numpy()[wanted]
    return Said(
        _words(every, protected, recipe, count),
        tags.to_frame("tag").unnest("tag").select("category", "confidence"),
        offsets,
        code,
        word,
        np.append(_group(pl.col("listed"), known), np.uint8(NO_GROUP)),
        fields,
    )


def units(said: Said, start: int, stop: int, recipe: RecipeConfig) -> Units:
    """The units of the images from `start` up to `stop`, one prompt each."""
    first, last = said.offsets[start], said.offsets[stop]
    code, own = said.code[first:last], said.tags[first:last]
    word, rank = said.word[code], said.listed[code]
    by_category = _group(category_rank(pl.col("category"), recipe), own)
    rank = np.where(rank == NO_GROUP, by_category, rank)
    tags = np.flatnonzero((word != NO_WORD) & (rank != NO_GROUP))
    owner = np.repeat(np.arange(stop - start), np.diff(said.offsets[start : stop + 1]))
    words, keys = [word[tags]], [_key(owner[tags], rank[tags])]
    for group, (bounds, texts) in said.fields.items():
        owner = np.repeat(np.arange(stop - start), np.diff(bounds[start : stop + 1]))
        words.append(texts[bounds[start] : bounds[stop]])
        keys.append(_key(owner, np.uint8(group)))
    # image, group and place in one number: a plain sort is the fastest there is
    key = np.concatenate(keys)
    key |= np.arange(len(key), dtype=np.uint64)
    key.sort()
    order = (key & np.uint64(2**32 - 1)).astype(np.int64)
    key >>= np.uint64(32)
    sure = np.full(len(key), np.nan)
    sure[: len(tags)] = own["confidence"].to_numpy()[tags]
    return Units(
        np.searchsorted(key, np.arange(stop - start + 1, dtype=np.uint64) << np.uint64(8)),
        key.astype(np.uint8),
        np.concatenate(words)[order],
        sure[order],
    )


def _key(image: NDArray[np.int64], group: NDArray[np.uint8] | np.uint8) -> NDArray[np.uint64]:
    return (image.astype(np.uint64) << np.uint64(40)) | (group.astype(np.uint64) << np.uint64(32))


def _group(rank: pl.Expr, rows: pl.DataFrame) -> NDArray[np.uint8]:
    """Groups as numbers, NO_GROUP for null."""
    return rows.select(rank.fill_null(NO_GROUP).alias("rank"))["rank"].to_numpy()


def _listed(texts: pl.Series) -> Flat:
    """What a field says of each image, as lists of any number of texts."""
    if texts.dtype == pl.List:
        return flatten(texts)
    return Flat(texts.drop_nulls(), offsets_of(texts.is_not_null().to_numpy()))


def _words(
    texts: pl.Series, is_protected: NDArray[np.bool_], recipe: RecipeConfig, count: Count
) -> Words:
    table = texts.to_frame("text")
    tokens = np.zeros(len(texts), np.int64)
    if recipe.token_budget is not None:
        spelt = table.select(counted(pl.col("text"), recipe)).to_series().to_list()
        tokens = np.array(count(spelt), np.int64)
    hashes = table.select(hash64(recipe.seed, pl.col("text"))).to_series().to_numpy()
    return Words(texts, tokens, hashes, is_protected)
