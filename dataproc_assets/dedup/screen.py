"""Float32 upper bounds of dot products, cheap to compute for every pair and never too low."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNIT_ROUNDOFF = 2.0**-24
"""Of float32, round to nearest."""

FLOAT64_SLACK = 1e-9
"""Covers the float64 rounding of the bound's own terms, each below 1e-11 for unit vectors."""


@dataclass(frozen=True)
class Screen:
    """Vectors float32 (n, k) a set; a pair of the wanted cosine has a dot >= `bound` in any BLAS.

    Two float32 vectors of k components multiply, in any order of summation and with or without
    fused operations, to within k u / (1 - k u) |x| |y| of the true product (Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., equation 3.5).
    """

    vectors: list[np.ndarray]
    bound: np.float32


def full_screen(sets: Sequence[np.ndarray], threshold: int) -> Screen:
    """All dimensions of int16 sets (n, d): float32 holds the integers, only the sum rounds."""
    vectors = [rows.astype(np.float32) for rows in sets]
    return Screen(vectors, _lowered(float(threshold), vectors, slack=0.0))


def prefix_screen(
    sets: Sequence[np.ndarray], threshold: int, scale: int, basis: np.ndarray
) -> Screen:
    """Coordinates a = x P in a basis P (d, m), and in one more column the length of the rest.

    With r = x - P a and s = y - P b,
    x y = a b + a (P'P - I) b + a P's + b P'r + r s <= a b + |r| |s| + slack,
    by Cauchy and Schwarz for r s. No property of P is assumed: the slack is measured, and is
    about 1e-6 when P is orthonormal. So the product of the widened vectors is the upper bound.
    """
    projected = [_project(rows, scale, basis) for rows in sets]
    vectors = [part[0] for part in projected]
    longest = max(part[1] for part in projected)
    leak = max(part[2] for part in projected)
    skew = float(np.linalg.norm(basis.T @ basis - np.eye(basis.shape[1])))
    slack = skew * longest**2 + 2 * leak * longest + FLOAT64_SLACK
    return Screen(vectors, _lowered(threshold / scale**2, vectors, slack))


def principal_basis(sets: Sequence[np.ndarray], dimensions: int) -> np.ndarray:
    """Leading eigenvectors, float64 (d, dimensions), of the sets' second moments (not centred).

    They leave the least in the rest, so the bound is tight; any other basis is as correct.
    """
    width = sets[0].shape[1]
    moments = np.zeros((width, width))
    for rows in sets:
        # Every eighth row is plenty to find the leading directions.
        for start in range(0, len(rows), 8 * 4096):
            block = rows[start : start + 8 * 4096 : 8].astype(np.float64)
            moments += block.T @ block
    return np.linalg.eigh(moments)[1][:, ::-1][:, :dimensions].copy()


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


def _lowered(threshold: float, vectors: list[np.ndarray], slack: float) -> np.float32:
    width = vectors[0].shape[1]
    gamma = width * UNIT_ROUNDOFF / (1 - width * UNIT_ROUNDOFF)
    squares = [np.einsum("nd,nd->n", part, part, dtype=np.float64) for part in vectors]
    longest = max((float(part.max()) for part in squares if len(part)), default=0.0)
    lowered = threshold - slack - gamma * longest * (1 + FLOAT64_SLACK)
    return np.nextafter(np.float32(lowered), np.float32(-np.inf))
