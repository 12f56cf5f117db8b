"""The columns of tags that sources give, as numbers that can be taken a few images at a time."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dataproc_assets.config.curation import MergeConfig
from dataproc_assets.transforms.integers import ranges
from dataproc_assets.transforms.merge_claims import Claims
from dataproc_assets.transforms.merge_vocabulary import Vocabulary, vocabulary
from dataproc_assets.transforms.nested import Flat, encode, flatten, offsets_of
from dataproc_assets.transforms.trust import Trust

# `general` is the last, since any other outranks it
CATEGORIES = ("artist", "character", "copyright", "meta", "general")
GENERAL = CATEGORIES.index("general")
TAGGER = "tagger"
CLAIMS_AT_ONCE = 1 << 19  # a processor's cache holds them while they are sorted
IMAGES_AT_ONCE = 1 << 14


class Lists(NamedTuple):
    """A column of lists of tags; those of row i are the values from `offsets[i]` on.

    Attributes:
        row, image: int64, the rows that count by the image they are said of, and these.
        offsets: int64, as in `nested.Flat`.
        spelling: uint32, one a value, an index of what the vocabulary was made of.
        category: uint8, one a value, or one for all.
        source: uint64, one a row.
        trust: float64, one a row.
        p: float64, one a value, or one for all.
    """

    row: NDArray[np.int64]
    image: NDArray[np.int64]
    offsets: NDArray[np.int64]
    spelling: NDArray[np.uint32]
    category: NDArray[np.uint8]
    source: NDArray[np.uint64]
    trust: NDArray[np.float64]
    p: NDArray[np.float64]


def source_names(trust: Trust) -> list[str]:
    """The sources of tags, the tagger among them, in the order of their numbers."""
    return sorted({*trust, TAGGER})


def tag_lists(
    rows: pl.DataFrame, merge: MergeConfig, trust: Trust
) -> tuple[list[Lists], Vocabulary]:
    """The columns `tags_{category}` and `tagger_tags` of rows, as `merge_tags` takes them."""
    said = [flatten(rows[f"tags_{category}"]) for category in CATEGORIES]
    seen, seen_offsets = flatten(rows["tagger_tags"])
    tag, category, p = (seen.struct.field(name) for name in ("tag", "category", "p"))
    flats = [*said, Flat(tag, seen_offsets)]
    spellings, codes = encode(pl.concat(flat.values.alias("tag") for flat in flats))
    spelling = np.split(codes, np.cumsum([len(flat.values) for flat in flats])[:-1])
    names = source_names(trust)
    believed = {
        name: one.tags * merge.tag_p.get(name, merge.tag_p["default"])
        for name, one in trust.items()
    }
    numbers = {name: number for number, name in enumerate(names)}
    kinds = {name: number for number, name in enumerate(CATEGORIES)}
    source = rows["source"].replace_strict(numbers, return_dtype=pl.UInt64).to_numpy()
    trusted = rows["source"].replace_strict(believed, return_dtype=pl.Float64).to_numpy()
    row, image = _counted(rows["tags_of"])
    lists = [
        Lists(
            row=row,
            image=image,
            offsets=flat.offsets,
            spelling=spelling[number],
            category=np.full(1, number, np.uint8),
            source=source,
            trust=trusted,
            p=np.ones(1),
        )
        for number, flat in enumerate(said)
    ]
    row, image = _counted(rows["tagged_of"])
    kind = category.replace_strict(kinds, default=GENERAL, return_dtype=pl.UInt8)
    machine = Lists(
        row=row,
        image=image,
        offsets=seen_offsets,
        spelling=spelling[-1],
        category=kind.to_numpy(),
        source=np.full(rows.height, numbers[TAGGER], np.uint64),
        trust=np.full(rows.height, merge.machine_trust.get(TAGGER, 0.0)),
        p=p.cast(pl.Float64).fill_null(0).to_numpy(),
    )
    return [*lists, machine], vocabulary(spellings, merge.alias_of, merge.implied_by)


def bounds(lists: Sequence[Lists], images: int) -> NDArray[np.int64]:
    """Numbers from 0 to `images` between which there are few enough claims to sort at once."""
    claims = np.zeros(images + 1, np.int64)
    for one in lists:
        claims[1:] += _by_image(one, images)
    total = np.cumsum(claims)
    by_claims = np.searchsorted(total, np.arange(0, total[-1], CLAIMS_AT_ONCE))
    by_images = np.arange(0, images, IMAGES_AT_ONCE)
    cuts = np.unique(np.concatenate([by_claims, by_images, np.zeros(1, np.int64)]))
    return np.append(cuts[(cuts < images) | (cuts == 0)], images)


def claims_of(lists: Sequence[Lists], first: int, last: int) -> Claims:
    """What is said of the images from `first` up to `last`, which are counted from 0."""
    parts = [_part(one, first, last) for one in lists]
    return Claims(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _part(one: Lists, first: int, last: int) -> Claims:
    start, end = np.searchsorted(one.image, [first, last])
    row = one.row[start:end]
    sizes = one.offsets[row + 1] - one.offsets[row]
    place = ranges(one.offsets[row], sizes)
    return Claims(
        image=np.repeat((one.image[start:end] - first).astype(np.uint64), sizes),
        source=np.repeat(one.source[row], sizes),
        spelling=one.spelling[place],
        category=_at(one.category, place),
        weight=np.repeat(one.trust[row], sizes) * _at(one.p, place),
    )


def _at(values: NDArray, place: NDArray[np.int64]) -> NDArray:
    return values[place] if len(values) > 1 else np.broadcast_to(values, len(place))


def _by_image(one: Lists, images: int) -> NDArray[np.int64]:
    """How many values each image has."""
    ends = offsets_of(one.offsets[one.row + 1] - one.offsets[one.row])
    return np.diff(ends[np.searchsorted(one.image, np.arange(images + 1))])


def _counted(images: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows that have an image, by it, and the image of each."""
    there = np.flatnonzero(images.is_not_null().to_numpy())
    of = images.drop_nulls().to_numpy().astype(np.int64)
    order = np.argsort(of, kind="stable")
    return there[order], of[order]
