import polars as pl
import pytest

from dataproc_assets.transforms.tagged import TAG_COLUMNS, ai_flag, has_tag


def found(rows, tags, column="tags_general"):
    lists = {name: pl.List(pl.String) for name in TAG_COLUMNS}
    frame = pl.DataFrame({column: rows}, schema_overrides={column: pl.List(pl.String)})
    empty = [pl.lit([], kind).alias(name) for name, kind in lists.items() if name != column]
    return frame.lazy().with_columns(empty).select(has_tag(tags)).collect().to_series().to_list()


@pytest.mark.parametrize("column", TAG_COLUMNS)
def test_any_category_may_hold_the_tag(column):
    assert found([["a", "AI生成"], ["b"], []], ["ai生成"], column) == [True, False, False]


def test_case_and_width_do_not_count_and_whole_tags_do():
    assert found([["ＡＩ生成"], ["ai生成"], ["AI生成作品"]], ["AI生成"]) == [True, True, False]


def test_unknown_tags_hold_none():
    assert found([None, ["a", None], ["x"]], ["x"]) == [False, False, True]
    assert found([], ["x"]) == [] and found([None], ["x"]) == [False]


def test_the_flag_is_yes_where_a_tag_says_so_and_as_it_was_elsewhere():
    frame = pl.LazyFrame({"ai": ["no", "unknown", None], "tags_general": [["x"], ["y"], ["y"]]})
    empty = (pl.lit([], pl.List(pl.String)).alias(name) for name in TAG_COLUMNS[1:])
    known = frame.with_columns(empty)
    assert known.select(ai_flag(["X"])).collect()["ai"].to_list() == ["yes", "unknown", None]
    assert known.select(ai_flag([])).collect()["ai"].to_list() == ["no", "unknown", None]
