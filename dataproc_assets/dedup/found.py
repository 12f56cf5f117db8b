"""What a search has found: vectors that lie in several files, and the pairs among them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl


class Stacked:
    """Rows of several int16 arrays (n, d) as one array, read when they are asked for.

    Attributes:
        parts: the arrays, mapped to memory or not.
        part: which array each row is of, (n,).
        row: its number there, (n,).
    """

    def __init__(self, parts: Sequence[np.ndarray], part: np.ndarray, row: np.ndarray) -> None:
        self.parts, self.part, self.row = parts, part, row
        width = parts[0].shape[1] if len(parts) else 1
        self.shape = (len(part), width)

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        part, row = self.part[rows], self.row[rows]
        taken = np.empty((len(part), self.shape[1]), np.int16)
        for index in np.unique(part):
            places = np.flatnonzero(part == index)
            taken[places] = self.parts[index][row[places]]
        return taken


Vectors = np.ndarray | Stacked


class Found(NamedTuple):
    """The vectors of a search, and its pairs.

    Attributes:
        keys: `image_key` of each vector, unique.
        vectors: int16 (n, d).
        i: of each pair the one vector, int64 (p,).
        j: the other.
        details: `image_key` and `detail` of the vectors that have a pair; None where the items
            hold them.
        distances: `a`, `b` and `detail_distance` of pairs a < b of these details that have been
            measured before.
    """

    keys: pl.Series
    vectors: Vectors
    i: np.ndarray
    j: np.ndarray
    details: pl.DataFrame | None = None
    distances: pl.DataFrame | None = None
