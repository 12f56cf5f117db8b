"""What sources say of tags as numbers, and the confidence that follows from it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataproc_assets.transforms.integers import bits_of, mask_of, ranges, starts_of
from dataproc_assets.transforms.merge_vocabulary import NOTHING, Vocabulary

UNITS = 1_000_000  # confidence has 6 decimals
_UNIT_BITS = np.uint64(20)
_OUTRANKS = 62  # above every bit of a weight in [0, 1] that is read as an integer


class Claims(NamedTuple):
    """Tags said of some images, one value a tag.

    Attributes:
        image: uint64, counted from 0.
        source: uint64, by the source's name.
        spelling: uint32, an index of what the vocabulary was made of.
        category: uint8, by the category's name but `general` after all others.
        weight: float64 in [0, 1], trust x p.
    """

    image: NDArray
    source: NDArray
    spelling: NDArray
    category: NDArray
    weight: NDArray


class Once(NamedTuple):
    """What each source says of each tag of each image, by image, tag, source.

    `tagged` uint64 names image and tag; `reading` is the vocabulary's.
    """

    tagged: NDArray[np.uint64]
    source: NDArray[np.uint8]
    category: NDArray[np.uint8]
    reading: NDArray[np.uint32]
    weight: NDArray[np.float64]


class Merged(NamedTuple):
    """Tags by image, then falling confidence, then name.

    Attributes:
        image: int64.
        tag: uint32, an index of the vocabulary's names.
        category: uint8.
        units: int64, the confidence in millionths.
        said_by: int64, how many sources say the tag.
        source, weight, reading: as in `Once`, one value a source of a tag.
    """

    image: NDArray
    tag: NDArray
    category: NDArray
    units: NDArray
    said_by: NDArray
    source: NDArray
    weight: NDArray
    reading: NDArray


def confidences(
    claims: Claims, vocabulary: Vocabulary, general: int, lowest: float
) -> tuple[Merged, Merged]:
    """Confidence of each tag of each image: 1 - product over sources of (1 - weight).

    A source counts once for a tag, with its greatest weight; of readings of that weight the first
    is told, and of its categories the first. `general` is the category that any other outranks;
    then the greater weight decides, then the first source.

    Returns the tags from the confidence `lowest` on, and the others.

    Raises OverflowError where image, tag, source and claim need more than 64 bits.
    """
    tag_bits = bits_of(len(vocabulary.names))
    once = _once(*_read(claims, vocabulary), vocabulary.tags, tag_bits)
    starts = starts_of(once.tagged)
    sizes = np.diff(starts, append=len(once.tagged))
    # a product of floats depends on its order in the last bit: it is that of the sources' names
    doubt = np.multiply.reduceat(1 - once.weight, starts) if len(starts) else np.zeros(0)
    units = np.rint((1 - doubt) * UNITS).astype(np.int64)
    category = _categories(once, starts, sizes, general)
    tagged = once.tagged[starts]
    image = tagged >> tag_bits
    ordered = _order(image, (UNITS - units).astype(np.uint64))
    kept = units[ordered] / UNITS >= lowest

    def told(order: NDArray[np.int64]) -> Merged:
        said_by = sizes[order]
        pick = ranges(starts[order], said_by)
        return Merged(
            image=image[order].astype(np.int64),
            tag=(tagged[order] & mask_of(tag_bits)).astype(np.uint32),
            category=category[order],
            units=units[order],
            said_by=said_by,
            source=once.source[pick],
            weight=once.weight[pick],
            reading=once.reading[pick],
        )

    return told(ordered[kept]), told(ordered[~kept])


def _read(claims: Claims, vocabulary: Vocabulary) -> tuple[Claims, NDArray[np.uint32]]:
    """The claims of every reading of what is spelt, and the readings."""
    reading = vocabulary.direct[claims.spelling]
    counts = np.diff(vocabulary.offsets)[claims.spelling]
    further = np.flatnonzero(counts)
    origin = np.repeat(further, counts[further])
    starts = vocabulary.offsets[claims.spelling[further]]
    more = vocabulary.implied[ranges(starts, counts[further])]
    stands = (reading != NOTHING) & (claims.weight > 0)
    if not stands.all():
        more, origin = more[stands[origin]], origin[stands[origin]]
        reading, claims = reading[stands], Claims(*(values[stands] for values in claims))
        origin = (np.cumsum(stands) - 1)[origin]
    if not len(origin):
        return claims, reading
    both = Claims(*(np.concatenate([values, values[origin]]) for values in claims))
    return both, np.concatenate([reading, more])


def _once(
    claims: Claims, reading: NDArray[np.uint32], tags: NDArray[np.uint32], tag_bits: np.uint64
) -> Once:
    """Each source's best claim of each tag of each image."""
    count = len(reading)
    claim_bits = bits_of(count)
    source_bits = bits_of(int(claims.source.max(initial=0)) + 1)
    image_bits = bits_of(int(claims.image.max(initial=0)) + 1)
    if int(image_bits + tag_bits + source_bits + claim_bits) > 64:
        raise OverflowError(f"{count} claims of {len(tags)} readings are too many for one sort")
    key = (claims.image << tag_bits) | tags[reading]
    key = (((key << source_bits) | claims.source) << claim_bits) | np.arange(count, dtype=np.uint64)
    key.sort()
    place = (key & mask_of(claim_bits)).astype(np.int64)
    key >>= claim_bits
    reading, weight, category = reading[place], claims.weight[place], claims.category[place]
    starts = starts_of(key)
    if len(starts) < count:
        sizes = np.diff(starts, append=count)
        reading, weight, category = _best(reading, weight, category, starts, sizes)
        key = key[starts]
    source = (key & mask_of(source_bits)).astype(np.uint8)
    return Once(key >> source_bits, source, category, reading, weight)


def _best(
    reading: NDArray[np.uint32],
    weight: NDArray[np.float64],
    category: NDArray[np.uint8],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
) -> tuple[NDArray[np.uint32], NDArray[np.float64], NDArray[np.uint8]]:
    """Of each run the greatest weight, its first reading, and the first category of all."""
    best = reading[starts], weight[starts], category[starts]
    several = sizes > 1
    inside = np.repeat(several, sizes)
    counts = sizes[several]
    runs = np.cumsum(counts) - counts
    most = np.maximum.reduceat(weight[inside], runs)
    among = np.where(weight[inside] == np.repeat(most, counts), reading[inside], NOTHING)
    best[0][several] = np.minimum.reduceat(among, runs)
    best[1][several] = most
    best[2][several] = np.minimum.reduceat(category[inside], runs)
    return best


def _categories(
    once: Once, starts: NDArray[np.int64], sizes: NDArray[np.int64], general: int
) -> NDArray[np.uint8]:
    """The category of each tag, as its sources have it."""
    if not len(starts):
        return np.zeros(0, np.uint8)
    first = np.minimum.reduceat(once.category, starts)
    differ = first != np.maximum.reduceat(once.category, starts)
    if differ.any():
        inside, counts = np.repeat(differ, sizes), sizes[differ]
        runs = np.cumsum(counts) - counts
        category = once.category[inside]
        # the bits of floats that are not negative compare as the floats do
        rank = once.weight[inside].view(np.int64)
        rank = rank + ((category != general).astype(np.int64) << _OUTRANKS)
        top = rank == np.repeat(np.maximum.reduceat(rank, runs), counts)
        places = np.where(top, np.arange(len(rank)), len(rank))
        first[differ] = category[np.minimum.reduceat(places, runs)]
    return first


def _order(image: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The order by image, then `low` of at most 20 bits, then as it is."""
    bits = bits_of(len(image))
    key = (((image << _UNIT_BITS) | low) << bits) | np.arange(len(image), dtype=np.uint64)
    key.sort()
    return (key & mask_of(bits)).astype(np.int64)
