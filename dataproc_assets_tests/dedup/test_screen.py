import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.dedup.quantise import SCALE, quantise
from dataproc_assets.dedup.screen import (
    Basis,
    Screened,
    prefix_bound,
    principal_basis,
    screen_prefix,
    screen_whole,
    whole_bound,
)
from dataproc_assets_tests.dedup.build import planted


def bases(vectors: np.ndarray, kind: str) -> Basis:
    width = vectors.shape[1]
    skewed = np.random.default_rng(5).normal(size=(width, 4)) * 0.3
    directions = {
        "principal": principal_basis([vectors], 4).directions,
        "axes": np.eye(width)[:, :4],
        "skewed": skewed,
        "short": 0.5 * np.eye(width)[:, :4],
    }[kind]
    skew = float(np.linalg.norm(directions.T @ directions - np.eye(4)))
    return Basis(directions, skew)


def products(left: Screened, right: Screened) -> np.ndarray:
    return left.vectors @ right.vectors.T


@pytest.mark.parametrize("kind", ["principal", "axes", "skewed", "short"])
@given(seed=st.integers(0, 50))
def test_every_dot_product_is_at_its_own_bound_or_below(kind: str, seed: int):
    """Each pair is screened at its own dot product: the tightest threshold that must pass it."""
    vectors = quantise(planted(12, 24, seed))
    dots = vectors.astype(np.int64) @ vectors.T.astype(np.int64)
    basis = bases(vectors, kind)
    left, right = (screen_prefix(part, SCALE, basis) for part in (vectors[:5], vectors))
    for dot in np.unique(dots[:5]):
        bound = prefix_bound(left, right, int(dot), SCALE, basis)
        assert (products(left, right)[dots[:5] >= dot] >= bound).all()


@given(seed=st.integers(0, 50))
def test_the_whole_screen_passes_what_reaches_the_threshold(seed: int):
    vectors = quantise(planted(12, 24, seed))
    dots = vectors.astype(np.int64) @ vectors.T.astype(np.int64)
    screened = screen_whole(vectors)
    for dot in np.unique(dots):
        bound = whole_bound(screened, screened, int(dot))
        assert (products(screened, screened)[dots >= dot] >= bound).all()


def test_the_bounds_are_tight_enough_to_prune():
    vectors = quantise(planted(400, 64, 1))
    threshold = int(0.97 * SCALE**2)
    passing = int((vectors.astype(np.int64) @ vectors.T.astype(np.int64) >= threshold).sum())
    whole = screen_whole(vectors)
    basis = principal_basis([vectors], 32)
    prefix = screen_prefix(vectors, SCALE, basis)
    for screened, bound in (
        (whole, whole_bound(whole, whole, threshold)),
        (prefix, prefix_bound(prefix, prefix, threshold, SCALE, basis)),
    ):
        count = int((products(screened, screened) >= bound).sum())
        assert passing <= count <= passing * 1.5
