import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.transforms.centred_rank import centred_counts


def counts(rows, half):
    groups, times, values = (np.array(each, np.int64) for each in zip(*rows, strict=True))
    found = centred_counts(groups, times, values, half)
    return list(zip(found.less.tolist(), found.equal.tolist(), found.size.tolist(), strict=True))


def one_by_one(rows, half):
    found = []
    for group, time, value in rows:
        window = [v for g, t, v in rows if g == group and abs(t - time) <= half]
        less = sum(v < value for v in window)
        found.append((less, window.count(value), len(window)))
    return found


def test_a_window_holds_both_of_its_ends_and_has_one_side_at_the_ends_of_time():
    rows = [(0, 0, 5), (0, 10, 6), (0, 20, 7), (0, 21, 1)]
    assert counts(rows, 10) == [(0, 1, 2), (1, 1, 3), (2, 1, 3), (0, 1, 2)]


def test_groups_do_not_meet_however_near_their_times():
    assert counts([(0, 9, 1), (1, 0, 2), (0, 0, 3)], 9) == [(0, 1, 2), (0, 1, 1), (1, 1, 2)]


def test_no_rows_have_no_counts():
    none = np.empty(0, np.int64)
    assert centred_counts(none, none, none, 3).size.size == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(-40, 40), st.integers(-3, 9)),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 90),
)
def test_counting_one_by_one_gives_the_same(rows, half):
    assert counts(rows, half) == one_by_one(rows, half)


def test_so_do_values_of_all_sizes():
    draw = np.random.default_rng(3)
    wide = draw.integers(-(2**62), 2**62, 400)
    rows = list(zip([0] * 400, draw.integers(0, 99, 400).tolist(), wide.tolist(), strict=True))
    assert counts(rows, 7) == one_by_one(rows, 7)
