"""Every pair of vectors at or above a cosine, exactly: blocks, a float screen, integers decide."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dataproc_assets.dedup.quantise import SCALE, pair_dots
from dataproc_assets.dedup.screen import Screen, full_screen, prefix_screen, principal_basis

CROWDED = 1 / 256
"""Share of a block that may pass the prefix screen before all dimensions screen it instead.

An integer decision costs about this many times a float product; it changes no result.
"""


class Pairs(NamedTuple):
    """Row numbers i < j, int64, sorted, and the integer dot products, int64; each (p,)."""

    i: np.ndarray
    j: np.ndarray
    dots: np.ndarray


EMPTY = Pairs(*(np.empty(0, np.int64) for _ in range(3)))


def find_pairs(
    sets: Sequence[np.ndarray],
    comparisons: Sequence[tuple[int, int]],
    threshold: int,
    *,
    block_rows: int,
    prefix_dims: int,
) -> Pairs:
    """All pairs of rows with a dot product >= `threshold`, of quantised int16 sets (n, d).

    `comparisons` names the sets to compare as (a, b), a <= b: (0, 0) is every pair within the
    first set, (0, 1) every pair between the first and the second. Rows are numbered as if the
    sets were concatenated. Blocks and prefix cost time and memory; they never change the pairs.
    """
    filled = [part for part in sets if len(part)]
    if not filled or not comparisons:
        return EMPTY
    if 0 < prefix_dims < filled[0].shape[1]:
        basis = principal_basis(filled, prefix_dims)
        screen = prefix_screen(sets, threshold, SCALE, basis)
        crowded = CROWDED
    else:
        screen = full_screen(sets, threshold)
        crowded = 1.0
    starts = np.cumsum([0, *(len(part) for part in sets)])
    product = np.empty(block_rows**2, np.float32)
    found = [EMPTY]
    for a, b, rows, columns in _blocks(sets, comparisons, block_rows):
        i, j = _candidates(screen.vectors[a][rows], screen.vectors[b][columns], screen, product)
        if len(i) > crowded * block_rows**2:
            whole = full_screen([sets[a][rows], sets[b][columns]], threshold)
            i, j = _candidates(whole.vectors[0], whole.vectors[1], whole, product)
        i, j = i + rows.start, j + columns.start
        if a == b:
            upper = i < j
            i, j = i[upper], j[upper]
        dots = pair_dots(sets[a], sets[b], i, j)
        good = dots >= threshold
        found.append(Pairs(i[good] + starts[a], j[good] + starts[b], dots[good]))
    pairs = Pairs(*(np.concatenate(columns) for columns in zip(*found, strict=True)))
    order = np.lexsort((pairs.j, pairs.i))
    return Pairs(*(column[order] for column in pairs))


def _candidates(
    left: np.ndarray, right: np.ndarray, screen: Screen, product: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions in a block whose upper bound reaches the screen's bound."""
    # A contiguous view, for the last, smaller block too: the scan below is then one pass.
    bounds = product[: len(left) * len(right)].reshape(len(left), len(right))
    np.matmul(left, right.T, out=bounds)
    return np.divmod(np.flatnonzero(bounds >= screen.bound), len(right))


def _blocks(
    sets: Sequence[np.ndarray], comparisons: Sequence[tuple[int, int]], block_rows: int
) -> Iterator[tuple[int, int, slice, slice]]:
    """(set, set, rows, columns); within one set only the upper triangle of blocks."""
    for a, b in comparisons:
        for top in range(0, len(sets[a]), block_rows):
            rows = slice(top, min(top + block_rows, len(sets[a])))
            for left in range(top if a == b else 0, len(sets[b]), block_rows):
                yield a, b, rows, slice(left, min(left + block_rows, len(sets[b])))
