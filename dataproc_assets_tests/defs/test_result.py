import polars as pl

from dataproc_assets.defs.result import (
    SAMPLE_REASONS,
    count_reasons,
    counts_metadata,
    reasons_metadata,
)
from dataproc_assets_tests.defs.results import reasons


def test_counts_are_by_value_most_first_and_null_is_none():
    frame = pl.LazyFrame({"tier": ["best", None, "best", "good", None, "best"]})
    table = counts_metadata(frame, pl.col("tier"), "tier").value
    assert list(reasons(table).items()) == [("best", 3), ("none", 2), ("good", 1)]
    assert [column.name for column in table.schema.columns] == ["tier", "rows"]


def test_equal_counts_are_by_name():
    frame = pl.LazyFrame({"kind": ["b", "a", "c"]})
    table = counts_metadata(frame, pl.col("kind"), "kind").value
    assert list(reasons(table)) == ["a", "b", "c"]


def test_a_table_of_counts_is_cut():
    frame = pl.LazyFrame({"kind": [str(n) for n in range(SAMPLE_REASONS + 1)]})
    assert len(reasons(counts_metadata(frame, pl.col("kind"), "kind").value)) == SAMPLE_REASONS


def test_reasons_are_counted_without_the_rows_that_have_none():
    frame = pl.LazyFrame({"why": ["x", None, "y", "y"]})
    counts = count_reasons(frame, "why")
    assert counts.rows() == [("y", 2), ("x", 1)]
    assert reasons(reasons_metadata(counts).value) == {"y": 2, "x": 1}


def test_no_reason_is_an_empty_table():
    counts = count_reasons(pl.LazyFrame({"why": [None]}, schema={"why": pl.String}), "why")
    assert counts.is_empty() and reasons(reasons_metadata(counts).value) == {}
