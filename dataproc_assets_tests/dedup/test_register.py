import numpy as np
import pytest

from dataproc_assets.dedup.register import CELL, LEVEL, NONE, Shift, lay, register
from dataproc_assets_tests.models.pictures import scene

SIDE, FINE = 64, 1024
REACH = 31


def thumbnail(left: int = 0, right: int = 0, top: int = 0, bottom: int = 0) -> np.ndarray:
    """A drawn picture cut by so many 1/`CELL` cells at each edge, int64 (SIDE, SIDE)."""
    picture = scene(7, FINE, FINE).convert("L")
    cut = picture.crop((left, top, FINE - right, FINE - bottom))
    return np.asarray(cut.resize((SIDE, SIDE), 2)).astype(np.int64)  # 2: the triangle filter


@pytest.mark.parametrize(
    ("first", "second", "shift"),
    [
        ({}, {}, NONE),
        ({}, {"left": 20, "right": 12, "top": 16, "bottom": 25}, Shift(20, 12, 16, 25)),
        ({"left": 18}, {}, Shift(left=-18)),
        ({"left": 14, "top": 20}, {"right": 20}, Shift(-14, 20, -20, 0)),
    ],
)
def test_what_was_cut_off_is_found(first: dict, second: dict, shift: Shift):
    found = register(thumbnail(**first), thumbnail(**second), REACH)
    assert np.abs(np.subtract(found, shift)).max() <= 2


def test_no_edge_is_cut_beyond_reach():
    found = register(thumbnail(), thumbnail(left=40, bottom=40), 24)
    assert max(map(abs, found)) <= 24


def test_two_cut_pictures_meet_in_what_both_have():
    whole = thumbnail()
    plain = np.abs(np.subtract(*lay(whole, thumbnail(left=20, top=20), NONE))).max()
    laid = np.abs(np.subtract(*lay(whole, thumbnail(left=20, top=20), Shift(left=20, top=20))))
    assert laid[1:-1, 1:-1].max() < plain / 3


def test_swapping_pictures_and_signs_swaps_what_is_laid():
    first, second = thumbnail(), thumbnail(right=9)
    shift = Shift(3, -9, 0, 4)
    there = lay(first, second, shift)
    back = lay(second, first, Shift(-3, 9, 0, -4))
    assert all(np.array_equal(a, b) for a, b in zip(there, reversed(back), strict=True))


def test_a_flat_picture_stays_flat_and_a_ramp_a_ramp():
    """Cubic weights sum to one and reproduce a straight line, away from the edges."""
    flat = np.full((SIDE, SIDE), 77)
    assert (lay(flat, flat, Shift(7, 3, 2, 31))[0] == 77 * LEVEL).all()
    ramp = np.tile(np.arange(SIDE) * 3, (SIDE, 1))
    laid, _ = lay(ramp, ramp, Shift(left=2 * CELL))
    places = 2 + (np.arange(SIDE) + 0.5) * (SIDE - 2) / SIDE - 0.5
    assert np.abs(laid[0] / LEVEL - places * 3)[3:-3].max() <= 0.1
