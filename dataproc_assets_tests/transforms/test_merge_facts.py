import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.transforms.merge_facts import component_facts

KNOWN = {
    "component": pl.String,
    "source": pl.String,
    "rating": pl.String,
    "ai": pl.String,
    "opt_out": pl.Boolean,
}


def facts(*rows):
    return component_facts(pl.DataFrame(rows, schema=KNOWN, orient="row"))


def one(*rows):
    return facts(*[("c", *row) for row in rows]).row(0, named=True)


def lost(source, value):
    return {"source": source, "value": value, "weight": None}


def test_the_most_restrictive_rating_wins_and_the_others_are_told():
    row = one(
        ("pixiv", "explicit", "unknown", False),
        ("danbooru", "general", "unknown", False),
        ("danbooru", "questionable", "unknown", False),
        ("danbooru", "general", "unknown", False),
        ("artstation", None, "unknown", False),
        ("gelbooru", "explicit", "unknown", False),
    )
    assert (row["rating"], row["rating__source"]) == ("explicit", "gelbooru")
    assert row["rating__losing"] == [lost("danbooru", "general"), lost("danbooru", "questionable")]


def test_a_source_can_win_and_lose_by_two_of_its_members():
    row = one(("pixiv", "explicit", "no", False), ("pixiv", "general", "yes", True))
    assert (row["rating__source"], row["rating__losing"]) == ("pixiv", [lost("pixiv", "general")])
    assert (row["ai"], row["ai__source"], row["ai__losing"]) == (
        "yes",
        "pixiv",
        [lost("pixiv", "no")],
    )
    assert row["opt_out"] is True
    assert row["opt_out__losing"] == [lost("pixiv", "false")]


@pytest.mark.parametrize(
    ("ais", "expected"),
    [
        (["no", "yes"], ("yes", "b", [lost("a", "no")])),
        (["unknown", "no"], ("no", "b", [])),
        (["unknown", None], ("unknown", None, [])),
    ],
)
def test_who_does_not_know_neither_wins_nor_loses(ais, expected):
    row = one(*[(source, None, ai, None) for source, ai in zip("ab", ais, strict=True)])
    assert (row["ai"], row["ai__source"], row["ai__losing"]) == expected
    assert (row["rating"], row["rating__source"], row["opt_out"]) == (None, None, None)


def test_each_component_is_decided_by_its_own_members():
    rows = facts(
        ("b", "x", "general", "no", False),
        ("a", "x", "explicit", "yes", True),
        ("b", "y", "sensitive", "no", False),
    )
    assert rows.select("component", "rating", "ai", "opt_out").rows() == [
        ("a", "explicit", "yes", True),
        ("b", "sensitive", "no", False),
    ]
    assert rows["rating__losing"].to_list() == [[], [lost("x", "general")]]
    assert facts().height == 0


RATINGS = [None, "general", "sensitive", "questionable", "explicit"]
ROWS = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["pixiv", "danbooru"]),
    st.sampled_from(RATINGS),
    st.sampled_from(["yes", "no", "unknown", None]),
    st.sampled_from([True, False, None]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_members_in_any_order_are_decided_by_the_rule(rows, random):
    expected = facts(*rows)
    random.shuffle(rows)
    assert facts(*rows).equals(expected)
    for row in expected.rows(named=True):
        said = {(r[1], r[2]) for r in rows if r[0] == row["component"] and r[2]}
        top = max((RATINGS.index(value) for _, value in said), default=0)
        assert row["rating"] == RATINGS[top]
        assert row["rating__source"] == min(
            (s for s, v in said if v == row["rating"]), default=None
        )
        losing = sorted((s, v) for s, v in said if v != row["rating"])
        assert [(one["source"], one["value"]) for one in row["rating__losing"]] == losing
