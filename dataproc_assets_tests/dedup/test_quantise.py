import numpy as np
import pytest

from dataproc_assets.dedup.quantise import SCALE, integer_threshold, pair_dots, quantise


def test_a_vector_along_an_axis_takes_the_whole_scale():
    assert quantise(np.array([[0.0, -0.25]], np.float16)).tolist() == [[0, -SCALE]]


def test_length_does_not_matter():
    vectors = np.array([[0.6, 0.8], [0.006, 0.008], [6e30, 8e30]], np.float64)
    assert quantise(vectors).tolist() == [[19660, 26214]] * 3


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_a_vector_without_direction_is_named(bad: float):
    with pytest.raises(ValueError, match="row 1 is zero or not finite"):
        quantise(np.array([[1.0, 0.0], [bad, 0.0]]))


def test_dots_do_not_overflow_at_the_largest_values():
    vectors = np.full((1, 1000), SCALE, np.int16)
    row = np.array([0])
    assert pair_dots(vectors, vectors, row, row).tolist() == [1000 * SCALE**2]


def test_the_threshold_is_the_first_integer_that_passes():
    assert integer_threshold(1.0) == SCALE**2
    assert integer_threshold(0.97) - 1 < 0.97 * SCALE**2 <= integer_threshold(0.97)
