import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.transforms.integers import bits_of, mask_of, ranges, starts_of


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4))))
def test_ranges_are_those_of_each_start(runs):
    starts, sizes = (np.array([run[i] for run in runs], np.int64) for i in (0, 1))
    expected = [start + k for start, size in runs for k in range(size)]
    assert ranges(starts, sizes).tolist() == expected


@given(st.lists(st.integers(0, 5)).map(sorted))
def test_runs_begin_where_the_value_changes(values):
    starts = starts_of(np.array(values, np.uint64)).tolist()
    assert starts == [i for i, v in enumerate(values) if i == 0 or values[i - 1] != v]


@pytest.mark.parametrize(("count", "bits"), [(0, 1), (1, 1), (2, 1), (3, 2), (256, 8), (257, 9)])
def test_the_numbers_below_a_count_fit_its_bits(count, bits):
    assert (bits_of(count), mask_of(bits_of(count))) == (bits, 2**bits - 1)
