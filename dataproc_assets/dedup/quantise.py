"""Embeddings as int16 unit vectors, whose dot products are integers and therefore exact."""

import math

import numpy as np

from dataproc_assets.dedup.found import Vectors

SCALE = 32767
"""Length of a quantised unit vector: the largest int16, so that no component can overflow."""

GRID = 1 << 24
"""Steps of a component before its norm is taken: their squares sum exactly in int64."""

MAX_DIMENSIONS = 1 << 14


def quantise(embeddings: np.ndarray) -> np.ndarray:
    """Unit vectors in steps of 1/`SCALE`: float (n, d) -> int16 (n, d).

    Each row is normalised here. Only exact integer sums and correctly rounded elementwise
    operations are used, so the result is the same on every machine.

    Raises:
        ValueError: a row is zero or not finite, or d exceeds `MAX_DIMENSIONS`.
    """
    rows, dimensions = embeddings.shape
    if dimensions > MAX_DIMENSIONS:
        raise ValueError(f"{dimensions} dimensions: exact sums hold to {MAX_DIMENSIONS}")
    quantised = np.empty((rows, dimensions), np.int16)
    for start in range(0, rows, 4096):
        block = embeddings[start : start + 4096].astype(np.float64)
        largest = np.abs(block).max(axis=1, keepdims=True, initial=0)
        unfit = np.flatnonzero(~np.isfinite(largest) | (largest == 0))
        if unfit.size:
            raise ValueError(f"embedding row {start + unfit[0]} is zero or not finite")
        grid = np.rint(block / largest * GRID).astype(np.int64)
        norms = np.sqrt(np.square(grid).sum(axis=1, keepdims=True).astype(np.float64))
        quantised[start : start + 4096] = np.rint(grid / norms * SCALE)
    return quantised


def integer_threshold(cosine: float) -> int:
    """The smallest integer dot product of quantised vectors that is at or above `cosine`."""
    return math.ceil(cosine * SCALE**2)


def pair_dots(left: Vectors, right: Vectors, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Exact dot products int64 (p,) of rows `left[i]` and `right[j]`, both int16 (n, d)."""
    dots = np.empty(len(i), np.int64)
    for start in range(0, len(i), 4096):
        part = slice(start, start + 4096)
        dots[part] = np.einsum(
            "pd,pd->p", left[i[part]].astype(np.int64), right[j[part]].astype(np.int64)
        )
    return dots


def cosines(dots: np.ndarray) -> np.ndarray:
    """Integer dot products as cosines, float64, at most 1.

    Equal vectors can pass 1 by some 1e-5, since rounding changes their length a little. NumPy
    divides here because a polars division by a literal depends on the number of rows.
    """
    return np.minimum(dots / float(SCALE**2), 1.0)
