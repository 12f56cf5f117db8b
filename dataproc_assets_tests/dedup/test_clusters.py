import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.config.dedup import OrderColumn
from dataproc_assets.dedup.clusters import NOBODY, components, representatives, total_order
from dataproc_assets_tests.dedup.build import make_items

Graph = tuple[list[int], list[bool], list[tuple[int, int]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 12))
    rank = draw(st.permutations(range(count)))
    keep = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    end = st.integers(0, count - 1)
    edges = draw(st.sets(st.tuples(end, end).filter(lambda e: e[0] < e[1]), max_size=30))
    return list(rank), keep, sorted(edges)


def one_by_one(rank: list[int], keep: list[bool], edges: list[tuple[int, int]]) -> list[int]:
    """The rule as it is told: the best stands, absorbs its neighbours, and the next is sought."""
    beside = {row: {a + b - row for a, b in edges if row in (a, b)} for row in range(len(rank))}
    remaining = {row for row in range(len(rank)) if keep[row]}
    standing = []
    while remaining:
        best = min(remaining, key=rank.__getitem__)
        standing.append(best)
        remaining -= {best} | beside[best]
    return [
        row if row in standing else next((s for s in standing if s in beside[row]), NOBODY)
        for row in range(len(rank))
    ]


def solve(rank: list[int], keep: list[bool], edges: list[tuple[int, int]]) -> list[int]:
    i, j = np.array(edges, np.int64).reshape(-1, 2).T
    return representatives(np.array(rank), np.array(keep), i, j).tolist()


@given(graphs())
def test_the_rounds_equal_the_rule_one_by_one(graph: Graph):
    assert solve(*graph) == one_by_one(*graph)


@given(graphs())
def test_nothing_is_dropped_for_an_image_it_has_no_edge_to(graph: Graph):
    _, keep, edges = graph
    for row, standing in enumerate(solve(*graph)):
        if standing == NOBODY:
            assert not keep[row]
        else:
            assert keep[standing]
            assert row == standing or (min(row, standing), max(row, standing)) in edges


def test_a_chain_does_not_fold_into_one_image():
    chain = [(0, 1), (1, 2), (2, 3)]
    assert solve([0, 1, 2, 3], [True] * 4, chain) == [0, 0, 2, 2]


def test_components_follow_edges_in_both_directions():
    labels = components(5, np.array([3, 1]), np.array([4, 3]))
    assert labels.tolist() == [0, 1, 2, 1, 1]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ([("trust", "descending"), ("pixels", "descending")], [1, 0, 2, 3]),
        ([("trust", "ascending")], [1, 2, 0, 3]),
        ([("image_key", "descending")], [3, 2, 1, 0]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_the_order_is_total_and_the_unknown_come_last(order: list, expected: list[int]):
    rows = make_items(
        {"image_key": "danbooru/1", "trust": 2.0, "pixels": 10},
        {"image_key": "danbooru/2", "trust": 2.0, "pixels": 20},
        {"image_key": "pixiv/1_p0", "trust": 1.0, "pixels": None},
        {"image_key": "pixiv/2_p0", "trust": None, "pixels": 30},
    )
    steps = [OrderColumn(column=column, direction=direction) for column, direction in order]
    assert total_order(rows, steps).tolist() == expected
