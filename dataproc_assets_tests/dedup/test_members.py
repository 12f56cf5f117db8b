import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.dedup import LEDGER_SCHEMA, MEMBER_SCHEMA, build_members, find_edges
from dataproc_assets_tests.dedup.build import at_cosine, crawls, make_config, make_items

CONFIG = make_config()
NO_LEDGER = pl.DataFrame(schema=LEDGER_SCHEMA)


@settings(deadline=None, max_examples=40)
@given(items=crawls(), data=st.data())
def test_the_order_of_items_and_edges_changes_nothing(items: pl.DataFrame, data: st.DataObject):
    edges = find_edges(items, CONFIG)
    table = build_members(items, edges, NO_LEDGER, CONFIG)
    shuffled = build_members(
        items[data.draw(st.permutations(range(len(items))))],
        edges[data.draw(st.permutations(range(len(edges))))],
        NO_LEDGER,
        CONFIG,
    )
    assert_frame_equal(shuffled, table)
    assert table.schema == pl.Schema(MEMBER_SCHEMA)


@settings(deadline=None, max_examples=40)
@given(items=crawls())
def test_what_every_table_must_hold(items: pl.DataFrame):
    edges = find_edges(items, CONFIG)
    table = build_members(items, edges, NO_LEDGER, CONFIG)
    joined = edges.filter(pl.col("kind") == "duplicate").select("a", "b").rows()
    kept = dict(items.select("image_key", "keep").iter_rows())
    assert table["image_key"].to_list() == sorted(kept)
    for row in table.iter_rows(named=True):
        key, standing = row["image_key"], row["representative"]
        assert row["keep"] == (key == standing)
        assert (row["image_id"] is None) == (standing is None)
        assert (row["drop_reason"] is None) == row["keep"]
        assert (row["role"] == "dropped") == (not kept[key])
        if standing not in (None, key):
            assert kept[standing]
            assert tuple(sorted((key, standing))) in joined
    per_source = table.drop_nulls("image_id").group_by("image_id", "source")
    assert per_source.agg(pl.col("best_in_source").sum())["best_in_source"].eq(1).all()
    images = table.filter("keep")
    assert images["image_id"].n_unique() == len(images)


def test_a_duplicate_says_for_whom_and_why():
    items = make_items(
        {"image_key": "danbooru/1", "embedding": at_cosine(1), "phash": 0, "trust": 2.0},
        {"image_key": "danbooru/2", "embedding": at_cosine(1), "phash": 0, "trust": 1.0},
        {"image_key": "pixiv/1_p0", "embedding": at_cosine(1), "phash": 1, "trust": 1.0}
        | {"linked_pixiv_id": "1"},
        {"image_key": "pixiv/2_p0", "embedding": at_cosine(0), "phash": 0, "trust": 1.0},
    )
    table = build_members(items, find_edges(items, CONFIG), NO_LEDGER, CONFIG)
    assert table.select("image_key", "role", "drop_reason", "best_in_source").rows() == [
        ("danbooru/1", "representative", None, True),
        ("danbooru/2", "duplicate", "duplicate of danbooru/1: cosine_phash", False),
        ("pixiv/1_p0", "duplicate", "duplicate of danbooru/1: cosine_phash", True),
        ("pixiv/2_p0", "representative", None, True),
    ]


def test_a_row_dropped_before_hangs_on_its_twin_and_never_stands():
    items = make_items(
        {"image_key": "danbooru/1", "keep": False, "sha256": "s", "trust": 9.0},
        {"image_key": "danbooru/2", "sha256": "s", "trust": 1.0},
        {"image_key": "danbooru/3", "keep": False},
    )
    table = build_members(items, find_edges(items, CONFIG), NO_LEDGER, CONFIG)
    assert table.select("component", "representative", "role", "drop_reason").rows() == [
        ("danbooru/1", "danbooru/2", "dropped", "dropped before the search"),
        ("danbooru/1", "danbooru/2", "representative", None),
        ("danbooru/3", None, "dropped", "dropped before the search"),
    ]


def test_variants_and_mismatched_links_join_nothing():
    items = make_items(
        {"image_key": "danbooru/1", "embedding": at_cosine(1), "phash": 0},
        {"image_key": "danbooru/2", "embedding": at_cosine(1), "phash": (1 << 12) - 1},
        {"image_key": "danbooru/3", "embedding": at_cosine(0), "linked_source": "u"},
        {"image_key": "danbooru/4", "embedding": at_cosine(1), "url": "u"},
    )
    edges = find_edges(items, CONFIG)
    assert {"variant", "link_mismatch"} == set(edges["kind"])
    table = build_members(items, edges, NO_LEDGER, CONFIG)
    assert table["component"].n_unique() == len(items)


def test_an_edge_to_an_unknown_key_is_refused():
    items = make_items(
        {"image_key": "danbooru/1", "sha256": "s"}, {"image_key": "danbooru/2", "sha256": "s"}
    )
    edges = find_edges(items, CONFIG)
    with pytest.raises(ValueError, match="'danbooru/2', which is no item"):
        build_members(items[:1], edges, NO_LEDGER, CONFIG)
