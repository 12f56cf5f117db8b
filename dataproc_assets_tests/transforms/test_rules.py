import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import TypeAdapter, ValidationError

from dataproc_assets.config.rules import RuleConfig, RuleList
from dataproc_assets.transforms.rules import apply_rules, rule_expression

RULES = TypeAdapter(RuleList)
NAN = float("nan")


def rule(**fields) -> RuleConfig:
    return RULES.validate_python([{"name": "r", "column": "x", "missing": "keep"} | fields])[0]


def passes(column: list | pl.Series, /, **fields) -> list[bool]:
    return pl.DataFrame({"x": column}).select(rule_expression(rule(**fields)))["r"].to_list()


FLOAT32, FLOAT64 = np.float32, np.float64


def around(value, kind):
    """The numbers just below, at and just above a threshold, in the column's type."""
    if kind in (FLOAT32, FLOAT64):
        at = kind(value)
        return np.array([np.nextafter(at, kind(-np.inf)), at, np.nextafter(at, kind(np.inf))])
    return np.array([value - 1, value, value + 1], kind)


@pytest.mark.parametrize("kind", [FLOAT32, FLOAT64])
@pytest.mark.parametrize("value", [1.2, 0.8, 0.7, 0.95, 0.33, 3.0, 0.0, -1.1, 1e-30])
def test_a_number_is_compared_in_its_own_type_at_below_and_above(value, kind):
    """0.7 is less, and 0.8 is more, as Float32 than as Float64."""
    column = pl.Series(around(value, kind))
    assert passes(column, keep="at_least", value=value) == [False, True, True]
    assert passes(column, keep="at_most", value=value) == [True, True, False]


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint32])
def test_whole_numbers_at_below_and_above(kind):
    column = pl.Series(around(100, kind))
    assert passes(column, keep="at_least", value=100) == [False, True, True]
    assert passes(column, keep="at_most", value=100) == [True, True, False]
    assert passes(column, keep="at_least", value=99.5) == [False, True, True]
    assert passes(column, keep="at_most", value=99.5) == [True, False, False]


def test_endless_numbers_are_numbers():
    column = [float("inf"), -float("inf")]
    assert passes(column, keep="at_least", value=1) == [True, False]
    assert passes(column, keep="at_most", value=1) == [False, True]


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({"keep": "at_least", "value": 1}, 0.0),
        ({"keep": "at_most", "value": 1}, 2.0),
        ({"keep": "one_of", "values": ["a"]}, "b"),
        ({"keep": "none_of", "values": ["a"]}, "a"),
        ({"keep": "has_any", "values": ["a"]}, ["b"]),
        ({"keep": "has_none", "values": ["a"]}, ["b", "a"]),
        ({"keep": "is_true"}, False),
        ({"keep": "is_false"}, True),
        ({"keep": "matches", "regex": "^a"}, "b"),
        ({"keep": "matches_not", "regex": "^a"}, "ab"),
    ],
)
def test_missing_decides_on_null_and_only_there(fields, bad):
    assert passes([None, bad], missing="keep", **fields) == [True, False]
    assert passes([None, bad], missing="drop", **fields) == [False, False]


def test_nan_is_unknown_though_it_sorts_above_every_number():
    assert passes([NAN, 2.0], keep="at_least", value=1, missing="drop") == [False, True]
    assert passes([NAN, 2.0], keep="at_most", value=1, missing="keep") == [True, False]


def test_one_of_and_none_of():
    assert passes(["a", "b"], keep="one_of", values=["a", "c"]) == [True, False]
    assert passes(["a", "b"], keep="none_of", values=["a", "c"]) == [False, True]
    assert passes([1, 2], keep="one_of", values=[2]) == [False, True]


def test_lists_with_any_and_with_none():
    lists = [["a", "b"], ["b"], []]
    assert passes(lists, keep="has_any", values=["a", "c"]) == [True, False, False]
    assert passes(lists, keep="has_none", values=["a", "c"]) == [False, True, True]


def test_a_regex_is_found_anywhere_unless_anchored():
    assert passes(["xay", "b"], keep="matches", regex="a") == [True, False]
    assert passes(["xay", "b"], keep="matches_not", regex="^a$") == [True, True]


TWITTER = RULES.validate_python(
    [
        {
            "name": "large_account_without_success",
            "keep": "at_least",
            "column": "best",
            "value": 1001,
            "missing": "drop",
            "when": [{"keep": "at_least", "column": "followers", "value": 10001}],
        },
        {
            "name": "large_account_few_likes",
            "keep": "at_least",
            "column": "likes",
            "value": 150,
            "missing": "keep",
            "when": [{"keep": "at_least", "column": "followers", "value": 10001}],
        },
        {
            "name": "medium_account_few_likes",
            "keep": "at_least",
            "column": "likes",
            "value": 50,
            "missing": "keep",
            "when": [
                {"keep": "at_least", "column": "followers", "value": 1001},
                {"keep": "at_most", "column": "followers", "value": 10000},
            ],
        },
    ]
)


@pytest.mark.parametrize(
    ("followers", "best", "likes", "reasons"),
    [
        (10001, 1001, 150, []),
        (10001, 1000, 150, ["large_account_without_success"]),
        (10001, 1001, 149, ["large_account_few_likes"]),
        (10001, 1000, 149, ["large_account_without_success", "large_account_few_likes"]),
        (10001, None, None, ["large_account_without_success"]),
        (10000, 1, 50, []),
        (10000, 1, 49, ["medium_account_few_likes"]),
        (1001, 1, 49, ["medium_account_few_likes"]),
        (1000, 1, 0, []),
        (None, 1, 0, []),
    ],
)
def test_rules_by_account_size(followers, best, likes, reasons):
    schema = {"followers": pl.Int64, "best": pl.Int64, "likes": pl.Int64}
    frame = pl.LazyFrame([(followers, best, likes)], schema=schema, orient="row")
    judged = apply_rules(frame, TWITTER).collect().row(0, named=True)
    assert judged["drop_reasons"] == reasons
    assert judged["drop_reason"] == (reasons[0] if reasons else None)
    assert judged["keep"] is (not reasons)


def test_when_knows_known_and_unknown():
    parent = {"keep": "has_none", "values": ["a"]}
    frame = pl.DataFrame({"x": [["a"], ["a"]], "parent": ["1", None]})
    known = rule(**parent, when=[{"keep": "is_known", "column": "parent"}])
    unknown = rule(**parent, when=[{"keep": "is_unknown", "column": "parent"}])
    assert frame.select(rule_expression(known))["r"].to_list() == [False, True]
    assert frame.select(rule_expression(unknown))["r"].to_list() == [True, False]


def test_no_rules_keep_every_row():
    judged = apply_rules(pl.LazyFrame({"x": [1, 2]}), []).collect()
    assert judged["keep"].to_list() == [True, True]
    assert judged["drop_reason"].to_list() == [None, None]
    assert judged["drop_reasons"].to_list() == [[], []]
    assert judged.schema["drop_reasons"] == pl.List(pl.String)


def test_the_columns_can_be_named():
    names = {"keep": "eligible", "reason": "intake_drop", "reasons": "intake_drops"}
    judged = apply_rules(pl.LazyFrame({"x": [1]}), [rule(keep="at_least", value=2)], **names)
    assert judged.collect().select(*names.values()).row(0) == (False, "r", ["r"])


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"rule 'r' reads column 'x', .* it has: a, b"):
        apply_rules(pl.LazyFrame({"b": [1], "a": [1]}), [rule(keep="is_true")])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(-3, 3) | st.just(NAN),
            st.none() | st.sampled_from(["a", "b"]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 2**32),
    st.integers(0, 20),
)
def test_a_row_is_judged_alone_whatever_the_order_or_split(rows, seed, cut):
    rules = RULES.validate_python(
        [
            {"name": "low", "keep": "at_least", "column": "x", "value": 0, "missing": "drop"},
            {"name": "b", "keep": "none_of", "column": "y", "values": ["b"], "missing": "keep"},
        ]
    )
    schema = {"n": pl.Int64, "x": pl.Float64, "y": pl.String}
    frame = pl.DataFrame([(n, *row) for n, row in enumerate(rows)], schema=schema, orient="row")
    whole = apply_rules(frame.lazy(), rules).collect()
    shuffled = random.Random(seed).sample(range(len(rows)), len(rows))
    parts = [frame[shuffled[:cut]], frame[shuffled[cut:]]]
    again = pl.concat([apply_rules(part.lazy(), rules).collect() for part in parts]).sort("n")
    assert_frame_equal(whole, again)
    assert whole.height == len(rows)
    assert whole["keep"].to_list() == [reason is None for reason in whole["drop_reason"]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keep": "atleast"}, "does not match any of the expected tags"),
        ({"value": "1"}, "valid number"),
        ({"missing": "maybe"}, "'keep' or 'drop'"),
        ({"name": "Bad name"}, "match pattern"),
        ({"treshold": 1}, "Extra inputs"),
        ({"keep": "is_known"}, "does not match any of the expected tags"),
    ],
)
def test_a_wrong_rule_fails_when_it_is_read(change, message):
    good = {"name": "r", "keep": "at_least", "column": "x", "value": 1, "missing": "keep"}
    with pytest.raises(ValidationError, match=message):
        RULES.validate_python([good | change])


def test_a_regex_that_the_engine_lacks_fails_when_it_is_read():
    with pytest.raises(ValidationError, match="not a regular expression of the engine used here"):
        rule(keep="matches", regex="(?<!a)b")


def test_two_rules_of_one_name_fail_when_they_are_read():
    one = {"name": "r", "keep": "is_true", "column": "x", "missing": "keep"}
    with pytest.raises(ValidationError, match="rule names used twice: r"):
        RULES.validate_python([one, one])
