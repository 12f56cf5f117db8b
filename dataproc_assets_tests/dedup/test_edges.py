import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.dedup import Found, find_cross_edges, find_edges
from dataproc_assets.dedup.items import unmeasured
from dataproc_assets.dedup.quantise import quantise
from dataproc_assets_tests.dedup.build import (
    SEARCH,
    SOURCES,
    at_cosine,
    crawls,
    make_config,
    make_items,
    thumbnail,
)

CONFIG = make_config()


def union(*edges: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(edges).sort("a", "b")


@settings(deadline=None, max_examples=40)
@given(items=crawls(), data=st.data(), block_rows=st.integers(1, 20), prefix=st.integers(0, 8))
def test_row_order_and_blocks_change_nothing(
    items: pl.DataFrame, data: st.DataObject, block_rows: int, prefix: int
):
    order = data.draw(st.permutations(range(len(items))))
    other = make_config(search=SEARCH | {"block_rows": block_rows, "prefix_dims": prefix})
    assert_frame_equal(find_edges(items[order], other), find_edges(items, CONFIG))


@settings(deadline=None, max_examples=40)
@given(items=crawls())
def test_sources_one_by_one_and_across_equal_one_run(items: pl.DataFrame):
    alone = [find_edges(items.filter(pl.col("source") == source), CONFIG) for source in SOURCES]
    parts = union(*alone, find_cross_edges(items, CONFIG))
    assert_frame_equal(parts, find_edges(items, CONFIG))


@settings(deadline=None, max_examples=40)
@given(items=crawls())
def test_every_pair_alone_decides_as_among_all(items: pl.DataFrame):
    """An edge is a matter of its two images: no third one changes it."""
    pairs = itertools.combinations(range(len(items)), 2)
    alone = [find_edges(items[list(pair)], CONFIG) for pair in pairs]
    assert_frame_equal(
        union(find_edges(items, CONFIG), *alone).unique().sort("a", "b"), find_edges(items, CONFIG)
    )
    assert sum(map(len, alone)) == len(find_edges(items, CONFIG))


def test_a_pixiv_link_names_the_page():
    items = make_items(
        {"image_key": "danbooru/1", "linked_pixiv_id": "7", "linked_pixiv_page": 1},
        {"image_key": "danbooru/2", "linked_pixiv_id": "7"},
        {"image_key": "pixiv/7_p0"},
        {"image_key": "pixiv/7_p1"},
    )
    edges = find_edges(items, CONFIG)
    assert edges.select("a", "b", "evidence", "kind").rows() == [
        ("danbooru/1", "pixiv/7_p1", ["pixiv_link"], "duplicate")
    ]


def test_an_embedding_that_is_not_finite_is_named():
    items = make_items({"image_key": "danbooru/1", "embedding": [float("nan")] * 8})
    with pytest.raises(ValueError, match="danbooru/1"):
        find_edges(items, CONFIG)


def test_a_repeated_key_is_refused():
    items = make_items({"image_key": "danbooru/1"}, {"image_key": "danbooru/1"})
    with pytest.raises(ValueError, match="'danbooru/1' more than once"):
        find_edges(items, CONFIG)


def test_a_hash_that_too_many_claim_is_named_before_memory_is_full():
    items = make_items(*({"image_key": f"danbooru/{n}", "md5": "same"} for n in range(200)))
    with pytest.raises(ValueError, match=r"'same' alone: raise search.max_pairs"):
        find_edges(items, CONFIG)


def test_a_distance_that_is_known_is_not_measured_again():
    rows = [
        {"image_key": f"x/{n}", "embedding": at_cosine(1), "phash": 0, "detail": thumbnail(1)}
        for n in range(3)
    ]
    items = make_items(*rows)
    measured = find_edges(items, CONFIG)
    assert measured["detail_distance"].to_list() == [0, 0, 0]
    known = pl.DataFrame({"a": ["x/0"], "b": ["x/2"], "detail_distance": [300]})
    vectors = quantise(np.array([row["embedding"] for row in rows]))
    pairs = np.array([[0, 0, 1], [1, 2, 2]])
    found = Found(items["image_key"], vectors, *pairs, distances=known)
    edges = find_edges(items, CONFIG, found)
    assert edges.select("a", "b", "detail_distance", "kind").rows() == [
        ("x/0", "x/1", 0, "duplicate"),
        ("x/0", "x/2", 300, "variant"),
        ("x/1", "x/2", 0, "duplicate"),
    ]
    apart = found._replace(details=items.select("image_key", "detail")[:2])
    unknown = find_edges(unmeasured(items), CONFIG, apart)
    assert unknown["detail_distance"].to_list() == [0, 300, None]
