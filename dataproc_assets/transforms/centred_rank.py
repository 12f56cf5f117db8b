"""Ranks in a moving window: how many of the neighbours in time have less, and how many as much."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
_INDEX = np.int32  # half the memory of int64, and enough for the rows of a polars frame


@dataclass(frozen=True)
class Neighbours:
    """Three int64 arrays in the order of the rows: members of a row's window with a smaller value,
    with an equal one (the row itself is one), and all of them."""

    less: Counts
    equal: Counts
    size: Counts


def centred_counts(
    groups: NDArray[np.int64], times: NDArray[np.int64], values: NDArray[np.int64], half: int
) -> Neighbours:
    """Count, for each row, the rows of its group whose time is at most `half` before or after.

    groups, times, values: int64, one a row, in any order. At the ends of a group's time the window
    has one side. Exact, in O(n log v) for v distinct values: a wavelet matrix (Claude, Navarro,
    Ordonez, "The wavelet matrix", 2015) of the values in the order of time, of which only the
    present level is held; the windows are sorted into each level with their rows, so that all
    reads are in order.
    """
    if not times.size:
        none = np.empty(0, np.int64)
        return Neighbours(none, none, none)
    start = times.min()
    stride = int(times.max() - start) + half + 1  # so far apart that no window meets two groups
    _, group = np.unique(groups, return_inverse=True)
    place = group * stride + (times - start)
    rows = np.argsort(place, kind="stable")
    place = place[rows]
    low = np.searchsorted(place, place - half, side="left").astype(_INDEX)
    high = np.searchsorted(place, place + half, side="right").astype(_INDEX)
    size = high - low
    distinct, inverse = np.unique(values[rows], return_inverse=True)
    ranks = inverse.astype(_INDEX)
    less = np.zeros(place.size, _INDEX)
    ones = np.zeros(place.size + 1, _INDEX)
    at = np.arange(place.size, dtype=_INDEX)
    for bit in reversed(range((distinct.size - 1).bit_length())):
        is_one = (ranks >> bit) & 1 == 1
        np.cumsum(is_one, out=ones[1:])
        zeros = place.size - ones[-1]
        low_one, high_one = ones[low], ones[high]
        low_zero, high_zero = low - low_one, high - high_one
        less += np.where(is_one, high_zero - low_zero, 0)
        low = np.where(is_one, zeros + low_one, low_zero)
        high = np.where(is_one, zeros + high_one, high_zero)
        order = np.concatenate([np.flatnonzero(~is_one), np.flatnonzero(is_one)])
        ranks, low, high, less, at = (each[order] for each in (ranks, low, high, less, at))
    found = Neighbours(*(np.empty(place.size, np.int64) for _ in range(3)))
    found.less[rows[at]] = less
    found.equal[rows[at]] = high - low
    found.size[rows] = size
    return found
