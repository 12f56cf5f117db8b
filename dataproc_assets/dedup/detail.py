"""Whether two thumbnails show one picture: what is left between them, where it is largest.

Another encoding or size differs a little in many places, another expression much in one place.
"""

from math import isqrt
from typing import NamedTuple

import numpy as np
import polars as pl

from dataproc_assets.config.dedup import DetailConfig
from dataproc_assets.config.metrics import CHROMA_CELLS
from dataproc_assets.dedup.register import CELL, LEVEL, NONE, Shift, lay, register

SAME = 100
"""The largest distance of one picture from itself: percent of the difference allowed."""


class Planes(NamedTuple):
    """A thumbnail's brightness (n, n) and its two colours, each (n/4, n/4); int64 0..255."""

    luma: np.ndarray
    blue: np.ndarray
    red: np.ndarray


def planes(detail: np.ndarray) -> Planes:
    """The planes that `{metric}_detail` (uint8) holds one after the other."""
    side = isqrt(len(detail) * CHROMA_CELLS**2 // (CHROMA_CELLS**2 + 2))
    luma, blue, red = np.split(
        detail.astype(np.int64), [side**2, side**2 + (side // CHROMA_CELLS) ** 2]
    )
    small = (side // CHROMA_CELLS,) * 2
    return Planes(luma.reshape(side, side), blue.reshape(small), red.reshape(small))


def distance(first: np.ndarray, second: np.ndarray, config: DetailConfig) -> int:
    """The largest local difference, in percent of what is allowed; symmetric.

    Measured as the pictures are, and where that is beyond `SAME`, once more with the best shift
    of their edges.
    """
    if first.tobytes() == second.tobytes():
        return 0
    # The search for the shift prefers one direction where two fit alike.
    if first.tobytes() > second.tobytes():
        first, second = second, first
    one, other = planes(first), planes(second)
    plain = _measure(one, other, NONE, config)
    if plain <= SAME:
        return plain
    reach = round(config.reach * len(one.luma) * CELL)
    shift = register(one.luma, other.luma, reach)
    return min(plain, _measure(one, other, shift, config))


def detail_distance(
    details: pl.Series, i: np.ndarray, j: np.ndarray, config: DetailConfig
) -> pl.Series:
    """`detail_distance` of rows `i` and `j`, Int32 (p,); null where one has no detail."""
    known = details.is_not_null().to_numpy()
    pairs = zip(i.tolist(), j.tolist(), strict=True)
    wanted = [(a, b) if known[a] and known[b] else None for a, b in pairs]
    rows = {row: details[row].to_numpy() for pair in wanted if pair for row in pair}
    found = [pair and distance(rows[pair[0]], rows[pair[1]], config) for pair in wanted]
    return pl.Series("detail_distance", found, pl.Int32)


def _measure(one: Planes, other: Planes, shift: Shift, config: DetailConfig) -> int:
    left, right = lay(one.luma, other.luma, shift)
    # The outermost cells have no neighbour to be interpolated from.
    luma = np.abs(left - right)[1:-1, 1:-1].astype(np.int64).ravel()
    rank = len(luma) * 99 // 100
    noise = int(np.partition(luma, rank)[rank])
    allowed = min(max(config.floor * LEVEL, config.noise * noise), config.ceiling * LEVEL)
    chroma = max(
        np.abs(np.subtract(*lay(*pair, shift, CELL * CHROMA_CELLS))).max()
        for pair in ((one.blue, other.blue), (one.red, other.red))
    )
    return max(_percent(int(luma.max()), allowed), _percent(int(chroma), config.chroma * LEVEL))


def _percent(part: int, whole: int) -> int:
    """Rounded up: 100 or less exactly where `part` is not above `whole`."""
    return -(-100 * part // whole)
