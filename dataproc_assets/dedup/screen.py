"""Float32 upper bounds of dot products, cheap to compute for every pair and never too low."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

UNIT_ROUNDOFF = 2.0**-24
"""Of float32, round to nearest."""

FLOAT64_SLACK = 1e-9
"""Covers the float64 rounding of the bound's own terms, each below 1e-11 for unit vectors."""


@dataclass(frozen=True)
class Screened:
    """Vectors float32 (n, k), and what is known of their errors.

    Attributes:
        vectors: whose products are the bounds.
        longest: at least |a| of every row, without the column of the rest.
        leak: at least |P'r| of every row.
        norm: at least the length of every row of `vectors`, squared.
    """

    vectors: np.ndarray
    longest: float
    leak: float
    norm: float


@dataclass(frozen=True)
class Basis:
    """Directions P, float64 (d, m), and |P'P - I|: no property of P is assumed."""

    directions: np.ndarray
    skew: float


def screen_whole(rows: np.ndarray) -> Screened:
    """All dimensions of int16 rows (n, d): float32 holds the integers, only the sum rounds."""
    vectors = rows.astype(np.float32)
    return Screened(vectors, 0.0, 0.0, _norm(vectors))


def screen_prefix(rows: np.ndarray, scale: int, basis: Basis) -> Screened:
    """Coordinates a = x P in the basis, and in one more column the length of the rest.

    With r = x - P a and s = y - P b,
    x y = a b + a (P'P - I) b + a P's + b P'r + r s <= a b + |r| |s| + slack,
    by Cauchy and Schwarz for r s. The slack is measured, and is about 1e-6 when P is
    orthonormal. So the product of the widened vectors is the upper bound.
    """
    vectors, longest, leak = _project(rows, scale, basis.directions)
    return Screened(vectors, longest, leak, _norm(vectors))


def whole_bound(left: Screened, right: Screened, threshold: int) -> np.float32:
    """What a product of `screen_whole` reaches where the integer product is >= `threshold`."""
    return _lowered(float(threshold), left, right)


def prefix_bound(
    left: Screened, right: Screened, threshold: int, scale: int, basis: Basis
) -> np.float32:
    """What a product of `screen_prefix` reaches where the integer product is >= `threshold`."""
    slack = basis.skew * left.longest * right.longest + FLOAT64_SLACK
    slack += left.leak * right.longest + right.leak * left.longest
    return _lowered(threshold / scale**2 - slack, left, right)


def principal_basis(sets: Sequence[np.ndarray], dimensions: int) -> Basis:
    """The leading `dimensions` eigenvectors of the sets' second moments (not centred).

    They leave the least in the rest, so the bound is tight; any other basis is as correct.
    """
    width = sets[0].shape[1]
    moments = np.zeros((width, width))
    for rows in sets:
        # Every eighth row is plenty to find the leading directions.
        for start in range(0, len(rows), 8 * 4096):
            block = rows[start : start + 8 * 4096 : 8].astype(np.float64)
            moments += block.T @ block
    directions = np.linalg.eigh(moments)[1][:, ::-1][:, :dimensions].copy()
    return Basis(directions, float(np.linalg.norm(directions.T @ directions - np.eye(dimensions))))


def _project(rows: np.ndarray, scale: int, basis: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Widened coordinates float32 (n, m + 1), the longest |a| and the largest |P'r|."""
    width = basis.shape[1]
    vectors = np.empty((len(rows), width + 1), np.float32)
    longest = leak = 0.0
    for start in range(0, len(rows), 4096):
        part = slice(start, start + 4096)
        block = rows[part] / float(scale)
        vectors[part, :width] = block @ basis
        # The float32 coordinates are what the product sees: the rest is taken from them.
        coordinates = vectors[part, :width].astype(np.float64)
        rest = block - coordinates @ basis.T
        lengths = np.linalg.norm(rest, axis=1).astype(np.float32)
        vectors[part, width] = np.nextafter(lengths, np.float32(np.inf))
        longest = max(longest, float(np.linalg.norm(coordinates, axis=1).max()))
        leak = max(leak, float(np.linalg.norm(rest @ basis, axis=1).max()))
    return vectors, longest, leak


def _norm(vectors: np.ndarray) -> float:
    squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
    return float(squares.max(initial=0.0))


def _lowered(threshold: float, left: Screened, right: Screened) -> np.float32:
    """`threshold` less what any float32 product of the two may be too low by.

    Two float32 vectors of k components multiply, in any order of summation and with or without
    fused operations, to within k u / (1 - k u) |x| |y| of the true product (Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., equation 3.5).
    """
    width = left.vectors.shape[1]
    gamma = width * UNIT_ROUNDOFF / (1 - width * UNIT_ROUNDOFF)
    longest = sqrt(left.norm * right.norm)
    lowered = threshold - gamma * longest * (1 + FLOAT64_SLACK)
    return np.nextafter(np.float32(lowered), np.float32(-np.inf))
