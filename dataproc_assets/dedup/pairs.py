"""All pairs of vectors at or above a threshold: blocks, a float screen, integers decide."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from dataproc_assets.dedup.products import NumpyProducts, Products
from dataproc_assets.dedup.quantise import SCALE, pair_dots
from dataproc_assets.dedup.screen import (
    Basis,
    Screened,
    prefix_bound,
    principal_basis,
    screen_prefix,
    screen_whole,
    whole_bound,
)

CROWDED = 1 / 256
"""Share of a block that may pass the prefix screen before all dimensions screen it instead.

An integer decision costs about this many times a float product; it changes no result.
"""


class TooManyPairsError(ValueError):
    """More pairs than the search may hold. `row` has the most of them so far."""

    def __init__(self, pairs: int, row: int, neighbours: int) -> None:
        super().__init__(f"over {pairs} pairs; row {row} alone is in {neighbours} of them")
        self.row, self.neighbours = row, neighbours


class Pairs(NamedTuple):
    """Row numbers i < j, int64, sorted, and the integer dot products, int64; each (p,).

    Of all `compared` pairs, the screen left `decided` to the integers.
    """

    i: np.ndarray
    j: np.ndarray
    dots: np.ndarray
    compared: int = 0
    decided: int = 0


_NONE = np.empty(0, np.int64)
EMPTY = Pairs(_NONE, _NONE, _NONE)


class Side(NamedTuple):
    """One set: its integers (n, d), what screens them, and the same where it is multiplied."""

    rows: np.ndarray
    screened: Screened
    placed: Any


class Search:
    """Compares sets with one another, one basis for all; any basis gives the same pairs."""

    def __init__(
        self,
        threshold: int,
        basis: Basis | None,
        products: Products,
        max_pairs: int | None = None,
    ) -> None:
        self._threshold, self._basis, self._products = threshold, basis, products
        self._max_pairs = max_pairs

    def side(self, rows: np.ndarray) -> Side:
        """A set made ready: int16 (n, d)."""
        basis = self._basis
        screened = screen_whole(rows) if basis is None else screen_prefix(rows, SCALE, basis)
        return Side(rows, screened, self._products.place(screened.vectors))

    def compare(self, left: Side, right: Side) -> Pairs:
        """The pairs of a row of `left` and one of `right`, or within `left` if they are the same.

        Rows are numbered in their own set.

        Raises:
            TooManyPairsError: there are more than `max_pairs`.
        """
        same, size = left is right, self._products.block_rows
        found, count, compared, decided = [EMPTY], 0, 0, 0
        for rows, columns in _blocks(len(left.rows), len(right.rows), size, same):
            i, j = self._candidates(left, right, rows, columns)
            i, j = i + rows.start, j + columns.start
            if same:
                upper = i < j
                i, j = i[upper], j[upper]
            dots = pair_dots(left.rows, right.rows, i, j)
            good = dots >= self._threshold
            found.append(Pairs(i[good], j[good], dots[good]))
            height, width = rows.stop - rows.start, columns.stop - columns.start
            diagonal = same and rows == columns
            block = height * (height - 1) // 2 if diagonal else height * width
            compared, decided, count = compared + block, decided + len(i), count + int(good.sum())
            if self._max_pairs is not None and count > self._max_pairs:
                _refuse(found, self._max_pairs)
        i, j, dots = (np.concatenate([part[k] for part in found]) for k in range(3))
        order = np.lexsort((j, i))
        return Pairs(i[order], j[order], dots[order], compared, decided)

    def _candidates(
        self, left: Side, right: Side, rows: slice, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions in a block that the screen lets pass."""
        products, threshold, basis = self._products, self._threshold, self._basis
        if basis is None:
            bound = whole_bound(left.screened, right.screened, threshold)
        else:
            bound = prefix_bound(left.screened, right.screened, threshold, SCALE, basis)
        i, j = products.reaching(left.placed[rows], right.placed[columns], bound)
        if basis is None or len(i) <= CROWDED * products.block_rows**2:
            return i, j
        one, other = screen_whole(left.rows[rows]), screen_whole(right.rows[columns])
        bound = whole_bound(one, other, threshold)
        return products.reaching(products.place(one.vectors), products.place(other.vectors), bound)


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
    if not comparisons or not any(len(part) for part in sets):
        return EMPTY
    basis = choose_basis(sets, prefix_dims)
    search = Search(threshold, basis, NumpyProducts(block_rows))
    sides = [search.side(rows) if len(rows) else None for rows in sets]
    starts = np.cumsum([0, *(len(part) for part in sets)])
    found = [EMPTY]
    for a, b in comparisons:
        left, right = sides[a], sides[b]
        if left is not None and right is not None:
            pairs = search.compare(left, right)
            found.append(pairs._replace(i=pairs.i + starts[a], j=pairs.j + starts[b]))
    i, j, dots = (np.concatenate([part[k] for part in found]) for k in range(3))
    order = np.lexsort((j, i))
    counts = (sum(part.compared for part in found), sum(part.decided for part in found))
    return Pairs(i[order], j[order], dots[order], *counts)


def choose_basis(sets: Sequence[np.ndarray], prefix_dims: int) -> Basis | None:
    """The principal basis of the sets; None, for all dimensions, where a prefix saves nothing."""
    filled = [part for part in sets if len(part)]
    if not filled or not 0 < prefix_dims < filled[0].shape[1]:
        return None
    return principal_basis(filled, prefix_dims)


def _blocks(left: int, right: int, size: int, same: bool) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of each block; within one set only the upper triangle of blocks."""
    for top in range(0, left, size):
        rows = slice(top, min(top + size, left))
        for start in range(top if same else 0, right, size):
            yield rows, slice(start, min(start + size, right))


def _refuse(found: Sequence[Pairs], limit: int) -> None:
    rows, counts = np.unique(np.concatenate([part.i for part in found]), return_counts=True)
    most = int(counts.argmax())
    raise TooManyPairsError(limit, int(rows[most]), int(counts[most]))
