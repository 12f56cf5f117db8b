from itertools import accumulate, pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets.storage.units import (
    cut_units,
    iter_units,
    make_units,
    read_units,
    replace_units,
    unit_rows,
)

FOLDER = "units/todo/pixiv"


def pending(count: int, uri: str = "/crawl") -> pl.DataFrame:
    return pl.DataFrame({"n": range(count)}).select(
        image_key=pl.format("pixiv/{}_p0", "n"),
        version=pl.lit("1-1"),
        uri=pl.format(uri + "/{}.jpg", "n"),
        offset=pl.lit(None, pl.Int64),
        length=pl.lit(None, pl.Int64),
        metrics=pl.lit(["clip"]),
    )


def test_rows_are_cut_in_their_order():
    units = make_units(pending(10), 4)
    assert [from_parquet(data).height for data in units.values()] == [4, 4, 2]
    assert all(name.endswith(".todo.parquet") for name in units)
    rows = unit_rows(units)
    assert rows is not None
    assert_frame_equal(rows, pending(10))
    assert make_units(pending(0), 4) == {}
    assert unit_rows({}) is None


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(1, 5))
def test_rows_that_come_in_pieces_are_cut_as_if_they_came_at_once(heights, size):
    rows, ends = pending(sum(heights)), list(accumulate(heights, initial=0))
    pieces = [rows[start:end] for start, end in pairwise(ends)]
    assert dict(cut_units(pieces, size)) == make_units(rows, size)


def test_a_name_says_what_is_to_be_done_and_not_where_it_lies():
    names = list(make_units(pending(8), 4))
    assert list(make_units(pending(8, "s3://other"), 4)) == names
    assert list(make_units(pending(9), 4))[:2] == names
    lacking = pending(8).with_columns(metrics=pl.lit(["softmax"]))
    newer = pending(8).with_columns(version=pl.lit("2-2"))
    assert not {*make_units(lacking, 4), *make_units(newer, 4)} & set(names)


def test_a_folder_holds_the_present_units_and_no_others(store):
    old, new = make_units(pending(8), 4), make_units(pending(5), 4)
    replace_units(store, FOLDER, old)
    assert read_units(store, FOLDER) == old
    store.put(f"{FOLDER}x/other.todo.parquet", b"another source's")
    replace_units(store, FOLDER, new)
    assert read_units(store, FOLDER) == new
    assert list(read_units(store, FOLDER)) == sorted(new)
    rows = {name: from_parquet(data) for name, data in sorted(new.items())}
    for found, expected in zip(iter_units(store, FOLDER), rows.items(), strict=True):
        assert found[0] == expected[0]
        assert_frame_equal(found[1], expected[1])
    assert replace_units(store, FOLDER, cut_units([pending(8)], 4)) == 2
    assert read_units(store, FOLDER) == old
    replace_units(store, FOLDER, {})
    assert read_units(store, FOLDER) == {}
    assert store.exists(f"{FOLDER}x/other.todo.parquet")


def test_units_are_the_same_files_on_a_folder_and_on_s3(both):
    for store in both:
        replace_units(store, FOLDER, make_units(pending(8), 4))
    assert read_units(both[0], FOLDER) == read_units(both[1], FOLDER)
