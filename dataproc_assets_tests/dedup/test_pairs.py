import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.dedup import pairs
from dataproc_assets.dedup.pairs import Pairs, Search, TooManyPairsError, find_pairs
from dataproc_assets.dedup.products import NumpyProducts
from dataproc_assets.dedup.quantise import integer_threshold, quantise
from dataproc_assets_tests.dedup.build import brute_force, planted

THRESHOLD = integer_threshold(0.97)


def listed(found: Pairs) -> list[tuple[int, int, int]]:
    return list(zip(*(column.tolist() for column in found[:3]), strict=True))


@settings(deadline=None)
@given(
    rows=st.integers(0, 40),
    width=st.sampled_from([2, 5, 16]),
    seed=st.integers(0, 10_000),
    block_rows=st.integers(1, 50),
    prefix_dims=st.integers(0, 16),
)
def test_equal_to_brute_force_for_any_block_size_and_prefix(
    rows: int, width: int, seed: int, block_rows: int, prefix_dims: int
):
    vectors = planted(rows, width, seed)
    found = find_pairs(
        [quantise(vectors)], [(0, 0)], THRESHOLD, block_rows=block_rows, prefix_dims=prefix_dims
    )
    assert listed(found) == brute_force(vectors, 0.97)


@settings(deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(24)))
def test_the_order_of_rows_changes_nothing(seed: int, order: list[int]):
    vectors = quantise(planted(24, 8, seed))
    straight = find_pairs([vectors], [(0, 0)], THRESHOLD, block_rows=7, prefix_dims=3)
    shuffled = find_pairs([vectors[order]], [(0, 0)], THRESHOLD, block_rows=7, prefix_dims=3)
    moved = {(*sorted((order[i], order[j])), dot) for i, j, dot in listed(shuffled)}
    assert moved == set(listed(straight))


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    cuts=st.tuples(st.integers(0, 24), st.integers(0, 24)).map(sorted),
    prefix_dims=st.sampled_from([0, 3]),
)
def test_sets_and_comparisons_add_up_to_one_search(seed: int, cuts: list[int], prefix_dims: int):
    vectors = quantise(planted(24, 8, seed))
    sizes = {"block_rows": 5, "prefix_dims": prefix_dims}
    whole = listed(find_pairs([vectors], [(0, 0)], THRESHOLD, **sizes))
    sets = np.split(vectors, cuts)
    everything = [(a, b) for b in range(3) for a in range(b + 1)]
    assert listed(find_pairs(sets, everything, THRESHOLD, **sizes)) == whole
    across = listed(find_pairs(sets, [(0, 1)], THRESHOLD, **sizes))
    assert across == [(i, j, dot) for i, j, dot in whole if i < cuts[0] <= j < cuts[1]]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_crowded_block_is_decided_the_same(share: float, monkeypatch: pytest.MonkeyPatch):
    """Both ways through the search give the same pairs; which is taken is a matter of cost."""
    monkeypatch.setattr(pairs, "CROWDED", share)
    vectors = planted(60, 16, 3)
    found = find_pairs([quantise(vectors)], [(0, 0)], THRESHOLD, block_rows=16, prefix_dims=2)
    assert listed(found) == brute_force(vectors, 0.97) != []


def test_a_pair_exactly_at_the_threshold_is_in_and_one_below_is_out():
    vectors = np.array([[30000, 100], [30000, 99]], np.int16)
    dot = 30000 * 30000 + 100 * 99
    for threshold, expected in ((dot, [(0, 1, dot)]), (dot + 1, [])):
        assert listed(find_pairs([vectors], [(0, 0)], threshold, block_rows=8, prefix_dims=1)) == (
            expected
        )


@pytest.mark.parametrize("width", [64, 768, 1280])
@pytest.mark.parametrize("kind", ["random", "clustered", "equal", "orthogonal"])
def test_no_pair_is_missed_in_any_geometry(kind: str, width: int):
    random = np.random.default_rng(width)
    centres = random.normal(size=(5, width))
    vectors = {
        "random": random.normal(size=(60, width)),
        "clustered": centres[np.arange(60) % 5] + random.normal(size=(60, width)) * 0.17,
        "equal": np.tile(centres[:1], (60, 1)),
        "orthogonal": np.eye(width)[:60],
    }[kind]
    found = find_pairs([quantise(vectors)], [(0, 0)], THRESHOLD, block_rows=16, prefix_dims=32)
    assert listed(found) == brute_force(vectors, 0.97)
    everything = 60 * 59 // 2
    assert found.compared == everything
    assert len(found.i) <= found.decided <= everything
    assert (len(found.i) == everything) == (kind == "equal")
    assert (len(found.i) == 0) == (kind in ("random", "orthogonal"))


def test_more_pairs_than_allowed_are_refused_with_the_row_that_has_most():
    vectors = quantise(np.tile(planted(1, 16, 1), (40, 1)))
    search = Search(THRESHOLD, None, NumpyProducts(8), max_pairs=100)
    side = search.side(vectors)
    with pytest.raises(TooManyPairsError) as refused:
        search.compare(side, side)
    assert (refused.value.row, refused.value.neighbours) == (0, 23)
