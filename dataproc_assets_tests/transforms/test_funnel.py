import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.transforms.funnel import FUNNEL_SCHEMA, rule_funnel, rule_hits

INTAKE = ["few_likes", "too_small"]
RULES = ["low_clip_score", "too_small"]


def judged(*rows):
    """Rows of (reasons at intake, reasons after it)."""
    return pl.LazyFrame(
        [(at_intake, [*at_intake, *later]) for at_intake, later in rows],
        schema={"intake_drops": pl.List(pl.String), "drop_reasons": pl.List(pl.String)},
        orient="row",
    )


def funnel(*rows):
    hits = rule_hits(judged(*rows)).collect()
    return rule_funnel(hits, len(rows), INTAKE, RULES)


def lines(table):
    """The lines that hit something."""
    return table.filter(pl.col("hits") > 0).rows()


def test_each_line_has_who_reached_it_whom_it_hit_whom_it_decided_and_who_is_left():
    table = funnel(
        ([], []),
        ([], []),
        (["few_likes"], []),
        (["no_image", "few_likes"], []),
        ([], ["low_clip_score"]),
        ([], ["low_clip_score", "too_small"]),
        ([], ["too_small"]),
        ([], ["undecodable: truncated"]),
        ([], ["not_scored"]),
    )
    assert lines(table) == [
        ("intake", "no_image", 9, 1, 1, 8),
        ("intake", "few_likes", 8, 2, 1, 7),
        ("scoring", "not_scored", 7, 1, 1, 6),
        ("scoring", "undecodable: truncated", 6, 1, 1, 5),
        ("prefilter", "low_clip_score", 5, 2, 2, 3),
        ("prefilter", "too_small", 3, 2, 1, 2),
    ]


def test_rules_that_hit_nothing_are_told_in_the_order_of_judgement():
    table = funnel(([], []))
    assert table.schema == FUNNEL_SCHEMA
    assert table.select("stage", "reason").rows() == [
        *(("intake", name) for name in ("no_image", "no_record", *INTAKE)),
        *(("scoring", name) for name in ("no_image", "not_scored")),
        *(("prefilter", name) for name in RULES),
    ]
    assert table.select("reached", "hits", "decided", "left").unique().rows() == [(1, 0, 0, 1)]


def test_one_name_at_intake_and_after_scoring_is_two_lines():
    table = funnel((["too_small"], ["too_small"]), ([], ["too_small"]))
    assert lines(table) == [
        ("intake", "too_small", 2, 1, 1, 1),
        ("prefilter", "too_small", 1, 2, 1, 0),
    ]


def test_a_reason_of_another_configuration_comes_last_of_its_stage():
    table = funnel((["gone"], []), (["few_likes"], []))
    assert lines(table) == [
        ("intake", "few_likes", 2, 1, 1, 1),
        ("intake", "gone", 1, 1, 1, 0),
    ]


def test_no_rows_have_a_funnel_of_noughts():
    table = funnel()
    assert table["left"].to_list() == [0] * table.height and table.height == 8


REASONS = st.tuples(
    st.lists(st.sampled_from(["no_image", *INTAKE]), unique=True, max_size=3),
    st.lists(st.sampled_from(RULES), unique=True, max_size=2),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(REASONS, min_size=1, max_size=20), st.integers(0, 20), st.randoms())
def test_order_and_split_of_rows_change_nothing(rows, cut, shuffle: random.Random):
    whole = funnel(*rows)
    mixed = shuffle.sample(rows, len(rows))
    parts = [rule_hits(judged(*part)).collect() for part in (mixed[:cut], mixed[cut:])]
    assert rule_funnel(pl.concat(parts), len(rows), INTAKE, RULES).equals(whole)
    kept = sum(not at_intake and not later for at_intake, later in rows)
    assert whole["left"][-1] == kept and whole["decided"].sum() == len(rows) - kept
