import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.config.mergers import MergerConfig
from dataproc_assets.sources.cleaning import clean_records
from dataproc_assets.sources.columns import RATINGS, RECORD_SCHEMA
from dataproc_assets.transforms.tagged import TAG_COLUMNS

BLANK = {name: [] if isinstance(kind, pl.List) else None for name, kind in RECORD_SCHEMA.items()}
EVERYTHING = MergerConfig(
    ratings={"explicit": ["R-18"], "questionable": ["ecchi"]},
    banned_tags=["banned_artist"],
    cut_from_tags=["[0-9]*users入り$", "^tagme$"],
    meta_tags=["highres", ".*_request"],
    cut_from_captions=["https?://[!-~]+"],
    no_titles=["untitled"],
)


def records(*items):
    rows = [{**BLANK, "image_key": f"x/{n}", **item} for n, item in enumerate(items)]
    return pl.DataFrame(rows, schema=RECORD_SCHEMA)


def cleaned(*items, config=EVERYTHING):
    return clean_records(records(*items).lazy(), config).sort("image_key").collect()


def one(config=EVERYTHING, **item):
    return cleaned(item, config=config).row(0, named=True)


def general(*tags):
    return one(tags_general=list(tags))["tags_general"]


def test_what_is_cut_out_of_a_tag_leaves_the_rest_of_it():
    assert general("風景", "1000users入り", "東方5000users入り") == ["風景", "東方"]
    assert general("東方", "東方5000users入り", "users入りの話") == ["東方", "users入りの話"]
    assert general("初音ミク 100users入り") == ["初音ミク"]


def test_a_tag_that_says_nothing_goes_but_not_one_that_holds_it():
    assert general("tagme", "TAGME", "tagme_please") == ["tagme_please"]


@pytest.mark.parametrize(
    ("rating", "tags", "expected"),
    [
        ("general", ["R-18"], "explicit"),
        ("general", ["ｒ－１８"], "explicit"),
        (None, ["R-18"], "explicit"),
        ("general", ["ecchi"], "questionable"),
        ("sensitive", ["ecchi", "r-18"], "explicit"),
        ("explicit", ["ecchi"], "explicit"),
        ("sensitive", ["R-18ではない"], "sensitive"),
        (None, ["風景"], None),
    ],
)
def test_a_rating_among_the_tags_lifts_the_rating_and_never_lowers_it(rating, tags, expected):
    row = one(rating=rating, tags_general=[*tags, "風景"])
    assert row["rating"] == expected
    assert row["tags_general"][-1] == "風景" and not {"R-18", "r-18"} & set(row["tags_general"])


def test_a_banned_tag_stays_where_it_is_and_is_no_artists_name():
    row = one(tags_artist=["ann", "banned_artist"], artist_names=["ann", "banned_artist"])
    assert (row["status"], row["tags_artist"]) == ("banned", ["ann", "banned_artist"])
    assert row["artist_names"] == ["ann"]
    assert one(tags_artist=["ann"], status="active")["status"] == "active"


def test_tags_of_the_file_become_meta_whole_ones_only():
    row = one(tags_general=["1girl", "highres", "ann_request", "highres_hair"], tags_meta=["a"])
    assert row["tags_general"] == ["1girl", "highres_hair"]
    assert row["tags_meta"] == ["a", "highres", "ann_request"]


def test_what_texts_lose_is_kept_apart():
    row = one(caption="look  here https://x.y/z?a=1です\nand https://w", title="Untitled")
    assert row["caption"] == "look here です\nand"
    assert row["title"] is None
    assert row["text_cut"] == "Untitled\nhttps://x.y/z?a=1\nhttps://w"


def test_a_text_that_loses_nothing_is_as_it_was():
    row = one(caption="  two  blanks ", title="untitled goose")
    assert (row["caption"], row["title"]) == ("  two  blanks ", "untitled goose")
    assert row["text_cut"] is None


def test_a_caption_of_which_nothing_is_left_is_unknown():
    assert one(caption=" https://x.y ")["caption"] is None


def test_without_configuration_nothing_changes():
    items = [{"tags_general": ["R-18", "tagme"], "title": "untitled", "caption": "https://x"}]
    out = cleaned(*items, config=MergerConfig())
    assert_frame_equal(out.drop("text_cut"), records(*items))
    assert out["text_cut"].to_list() == [None]


def test_no_records_and_unknown_lists_keep_the_schema():
    schema = pl.Schema({**RECORD_SCHEMA, "text_cut": pl.String})
    assert cleaned().schema == schema
    unknown = cleaned(dict.fromkeys((*TAG_COLUMNS, "artist_names")))
    assert unknown.schema == schema and unknown["tags_general"].to_list() == [None]


WORDS = st.sampled_from(
    ["R-18", "ecchi", "風景", "東方100users入り", "東方", "tagme", "highres", "a"]
)
ITEMS = st.fixed_dictionaries(
    {
        "rating": st.none() | st.sampled_from(RATINGS),
        "tags_general": st.lists(WORDS, max_size=4, unique=True),
        "tags_meta": st.lists(WORDS, max_size=2, unique=True),
        "caption": st.none() | st.sampled_from(["a https://b", "c"]),
    }
)


@settings(max_examples=50, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=8), st.integers(0, 8), st.randoms())
def test_a_record_is_cleaned_alone_whatever_the_order_or_split(items, cut, shuffle: random.Random):
    frame = records(*items)
    order = shuffle.sample(range(len(items)), len(items))
    parts = [frame[order[:cut]], frame[order[cut:]]]
    split = pl.concat([clean_records(part.lazy(), EVERYTHING).collect() for part in parts])
    assert_frame_equal(split.sort("image_key"), cleaned(*items))
