import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.storage.key_parts import part_number
from dataproc_assets.storage.lookup import matching, rows_of
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import ChangedFileError, write_table

PATH = "stages/t/t.parquet"
ROWS = pl.DataFrame({"k": [f"key{n}" for n in range(50)], "n": range(50)})


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ObjectStore:
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    write_table(store, PATH, ROWS, key="k", buckets=7)
    return store


@given(st.lists(st.integers(0, 60), max_size=8))
def test_the_rows_of_keys_are_those_of_the_whole_table(store, numbers):
    keys = [f"key{number}" for number in numbers]
    whole = ROWS.filter(pl.col("k").is_in(keys)).sort("k")
    assert_frame_equal(rows_of(store, PATH, keys), whole)


def test_only_the_buckets_of_the_keys_are_read(tmp_path):
    store = ObjectStore(str(tmp_path))
    info = write_table(store, PATH, ROWS, key="k", buckets=7)
    number = ROWS.select(part_number("k", 7)).to_series()[3]
    for other, bucket in enumerate(info.buckets):
        if other != number:
            store.put(f"{PATH}/{bucket.file}", b"spoilt")
    assert rows_of(store, PATH, ["key3"])["n"].to_list() == [3]
    store.put(f"{PATH}/{info.buckets[number].file}", b"spoilt")
    with pytest.raises(ChangedFileError):
        rows_of(store, PATH, ["key3"])


def test_a_table_of_two_keys_lies_by_the_first(tmp_path):
    store = ObjectStore(str(tmp_path))
    pairs = pl.DataFrame({"a": ["x", "x", "y"], "b": ["1", "2", "1"]})
    write_table(store, PATH, pairs, key=["a", "b"], buckets=5)
    assert rows_of(store, PATH, ["x"])["b"].to_list() == ["1", "2"]


def test_rows_that_match_come_from_all_buckets(store):
    found = matching(store, PATH, pl.col("n") % 10 == 3, ["k"])
    assert sorted(found["k"]) == ["key13", "key23", "key3", "key33", "key43"]


def test_a_table_that_was_never_made_is_named(store):
    with pytest.raises(FileNotFoundError, match="nothing"):
        rows_of(store, "stages/nothing", ["a"])
    with pytest.raises(FileNotFoundError, match="nothing"):
        matching(store, "stages/nothing", pl.lit(True), ["a"])
