import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.dedup.quantise import SCALE, quantise
from dataproc_assets.dedup.screen import full_screen, prefix_screen, principal_basis
from dataproc_assets_tests.dedup.build import planted


def bases(vectors: np.ndarray, kind: str) -> np.ndarray:
    width = vectors.shape[1]
    skewed = np.random.default_rng(5).normal(size=(width, 4)) * 0.3
    return {
        "principal": principal_basis([vectors], 4),
        "axes": np.eye(width)[:, :4],
        "skewed": skewed,
        "short": 0.5 * np.eye(width)[:, :4],
    }[kind]


@pytest.mark.parametrize("kind", ["principal", "axes", "skewed", "short"])
@given(seed=st.integers(0, 50))
def test_every_dot_product_is_at_its_own_bound_or_below(kind: str, seed: int):
    """Each pair is screened at its own dot product: the tightest threshold that must pass it."""
    vectors = quantise(planted(12, 24, seed))
    dots = vectors.astype(np.int64) @ vectors.T.astype(np.int64)
    for dot in np.unique(dots):
        screen = prefix_screen([vectors], int(dot), SCALE, bases(vectors, kind))
        products = screen.vectors[0] @ screen.vectors[0].T
        assert (products[dots >= dot] >= screen.bound).all()


@given(seed=st.integers(0, 50))
def test_the_full_screen_passes_what_reaches_the_threshold(seed: int):
    vectors = quantise(planted(12, 24, seed))
    dots = vectors.astype(np.int64) @ vectors.T.astype(np.int64)
    for dot in np.unique(dots):
        screen = full_screen([vectors], int(dot))
        products = screen.vectors[0] @ screen.vectors[0].T
        assert (products[dots >= dot] >= screen.bound).all()


def test_the_bounds_are_tight_enough_to_prune():
    vectors = quantise(planted(400, 64, 1))
    threshold = int(0.97 * SCALE**2)
    passing = int((vectors.astype(np.int64) @ vectors.T.astype(np.int64) >= threshold).sum())
    for screen in (
        full_screen([vectors], threshold),
        prefix_screen([vectors], threshold, SCALE, principal_basis([vectors], 32)),
    ):
        screened = int((screen.vectors[0] @ screen.vectors[0].T >= screen.bound).sum())
        assert passing <= screened <= passing * 1.5
