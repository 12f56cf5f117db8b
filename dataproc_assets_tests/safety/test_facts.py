from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.facts import FACTS, add_facts, fact_columns, machine_facts, row_facts
from dataproc_assets.safety.flags import component_flags
from dataproc_assets_tests.transforms.frames import METRICS, changed, conf, rows

SAFETY = conf("safety", SafetyConfig)
P, D = "pixiv/1_p0", "danbooru/2"


def facts(*items, config=SAFETY, **extra):
    """The facts that hold, by key."""
    found = row_facts(rows(*items, **extra), config)
    assert found.columns == ["image_key", *FACTS] and not found.null_count().pipe(sum_of)
    return {row.pop("image_key"): {n for n in FACTS if row[n]} for row in found.to_dicts()}


def sum_of(counts):
    return sum(counts.row(0))


def of(**values):
    return facts({"image_key": P, **values})[P] - {"active"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, set()),
        ({"rating": "explicit"}, {"adult"}),
        ({"tags_general": ["R-18"]}, {"adult"}),
        ({"tags_general": ["#NSFW"]}, {"adult"}),
        ({"tags_general": ["child", "loli"]}, {"child", "never_tag"}),
        ({"title": "a child"}, {"child"}),
        ({"title": "aged", "caption": "down"}, set()),
        ({"caption": "ForbiddenWord"}, {"banned_word"}),
        ({"tags_meta": ["watermark", "banned_artist"]}, {"poor_content", "banned_artist"}),
        ({"ai": "yes"}, {"ai"}),
        ({"artist_names": ["loli"]}, set()),
        ({"tags_artist": ["loli"]}, {"never_tag"}),
    ],
)
def test_each_fact_is_of_its_own_row(values, expected):
    found = facts({"image_key": P, **values}, {"image_key": D})
    assert found == {P: {"active", *expected}, D: {"active"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("active", {"active"}),
        ("banned", {"banned_status", "inactive"}),
        ("hidden", {"inactive"}),
        (None, set()),
    ],
)
def test_a_status_is_active_or_not_or_unknown(status, expected):
    assert facts({"image_key": P, "status": status})[P] == expected


@pytest.mark.parametrize("p", [0.0001, 0.99, None])
@pytest.mark.parametrize("column", ["tagger_tags", "other_tags"])
def test_a_tag_of_any_tagger_counts_whatever_its_p(column, p):
    said = [{"tag": "loli", "category": "general", "p": p}]
    assert (
        "never_tag" in facts({"image_key": P, column: said}, other_tags=METRICS["tagger_tags"])[P]
    )


def test_null_tags_and_texts_say_nothing():
    nothing = dict.fromkeys(["tags_general", "artist_names", "artist_ids", "tagger_tags", "title"])
    assert of(**nothing) == set()


def test_no_row_has_no_facts():
    assert row_facts(rows(), SAFETY).schema == {
        "image_key": pl.String,
        **dict.fromkeys(FACTS, pl.Boolean),
    }


def test_what_a_machine_said_later_is_added_by_key():
    known = row_facts(rows({"image_key": P, "rating": "explicit"}, {"image_key": D}), SAFETY)
    said = pl.DataFrame({"image_key": [D, P, "x/9"], "caption_text": ["fine", "a child", "loli"]})
    found = add_facts(known, machine_facts(said, SAFETY))
    assert found["image_key"].to_list() == [P, D]
    assert found["child"].to_list() == [True, False] and not found["never_tag"].any()
    assert found.drop("child").equals(known.drop("child"))


def test_the_columns_that_are_read_are_enough():
    frame = rows({"image_key": P, "tags_general": ["loli"]}, more=pl.Int32)
    read = frame.select(fact_columns(frame.schema, SAFETY))
    assert not {"more", "score", "pixels_sha256"} & {*read.columns}
    assert row_facts(read, SAFETY).equals(row_facts(frame, SAFETY))


def test_a_score_counts_where_the_configuration_asks_for_it_and_must_be_there():
    scores = [{"column": "softmax_ai", "at_least": 0.9}]
    config = changed(SAFETY, ai=changed(SAFETY.ai, scores=scores))
    frame = rows({"image_key": P, "softmax_ai": 0.95}, softmax_ai=pl.Float64)
    assert "softmax_ai" in fact_columns(frame.schema, config)
    assert row_facts(frame, config)["ai"].to_list() == [True]
    with pytest.raises(ValueError, match="softmax_ai"):
        row_facts(rows({"image_key": P}), config)


ROW = st.fixed_dictionaries(
    {
        "tags_general": st.lists(
            st.sampled_from(["loli", "child", "AI生成", "watermark", "smile", "banned_artist"]),
            max_size=2,
        ),
        "rating": st.sampled_from(["general", "explicit", None]),
        "status": st.sampled_from(["active", "deleted", "banned", None]),
        "title": st.sampled_from(["a child", "ロリ", "fine", None]),
        "artist_names": st.lists(st.sampled_from(["optout_artist", "Ada"]), max_size=1),
    }
)


@settings(max_examples=20)
@given(st.lists(st.tuples(ROW, st.integers(0, 3)), min_size=1, max_size=8), st.data())
def test_the_flags_are_the_same_however_the_rows_are_cut_and_ordered(made, data):
    frame = rows(*[{"image_key": f"pixiv/{n}", **row} for n, (row, _) in enumerate(made)])
    components = pl.Series([None if c == 0 else f"c{c}" for _, c in made], dtype=pl.String)
    whole = row_facts(frame, SAFETY).with_columns(component=components)
    order = data.draw(st.permutations(range(len(made))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(made)), max_size=3)))
    shuffled = frame.with_columns(component=components)[order]
    ends = [0, *cuts, len(made)]
    parts = [shuffled[a:b] for a, b in pairwise(ends)]
    cut = pl.concat(row_facts(part, SAFETY).with_columns(part["component"]) for part in parts)
    expected = component_flags(whole.lazy()).collect()
    assert component_flags(cut.lazy()).collect().equals(expected)
