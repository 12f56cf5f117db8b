from pathlib import Path
from random import Random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.storage.key_parts import split
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.spill import PART_ROWS, KeyOrder, Spill, open_parts, part_count
from dataproc_assets.storage.tables import write_table

NOTHING, ENOUGH = 0, 64  # MiB


def rows(start: int, end: int) -> pl.DataFrame:
    number = pl.int_range(start, end, eager=True)
    return pl.DataFrame({"n": number}).select(
        image_key=pl.format("pixiv/{}_p0", "n"),
        offset=pl.when(pl.col("n") % 3 == 0).then("n"),
        metrics=pl.concat_list(pl.lit("clip"), pl.format("m{}", "n")),
    )


@pytest.mark.parametrize("memory_mb", [NOTHING, ENOUGH])
@pytest.mark.parametrize("parts", [1, 4, 64])
def test_a_part_has_the_rows_of_its_buckets_in_the_order_they_came(tmp_path, parts, memory_mb):
    spill = Spill(tmp_path / "spill", parts, memory_mb)
    for start in (0, 500, 700):
        spill.add(rows(start, start + 200))
    everything = pl.concat([rows(0, 200), rows(500, 700), rows(700, 900)])
    for part, expected in enumerate(split(everything, "image_key", parts)):
        assert_frame_equal(spill.read(part), expected)
        assert_frame_equal(spill.take(part), expected)
        assert spill.take(part).is_empty()
    assert (tmp_path / "spill").exists() is (memory_mb == NOTHING)
    assert not list(tmp_path.glob("spill/*"))  # what is taken leaves the disk


def test_a_spill_goes_to_disk_only_when_the_memory_is_full(tmp_path):
    spill = Spill(tmp_path / "spill", 2, 1)
    spill.add(rows(0, 100))
    assert not (tmp_path / "spill").exists()
    spill.add(rows(100, 40_000))
    assert {path.name for path in (tmp_path / "spill").iterdir()} == {
        "00000.arrows",
        "00001.arrows",
    }
    spill.add(rows(40_000, 40_100))
    taken = pl.concat([spill.take(0), spill.take(1)])
    assert_frame_equal(
        taken.sort("offset", "image_key"), rows(0, 40_100).sort("offset", "image_key")
    )


def test_rows_of_no_part_have_no_columns_and_an_empty_part_has(tmp_path):
    spill = Spill(tmp_path / "spill", 2, ENOUGH)
    with pytest.raises(LookupError, match="nothing was spilled"):
        spill.take(0)
    spill.add(rows(0, 0))
    assert_frame_equal(spill.take(0), rows(0, 0))


@pytest.mark.parametrize(
    ("rows", "buckets", "parts"),
    [
        *[(0, 1, 1), (10 * PART_ROWS, 1, 1), (10, 64, 1), (PART_ROWS + 1, 64, 2)],
        *[(PART_ROWS + 1, 9, 3), (5 * PART_ROWS, 64, 8), (5 * PART_ROWS, 7, 7)],
        (100 * PART_ROWS, 64, 64),
    ],
)
def test_parts_divide_the_buckets_and_are_no_more_than_the_rows_need(rows, buckets, parts):
    assert part_count(rows, buckets) == parts


@given(
    keys=st.lists(st.text("abcé\U0001f600", max_size=3), unique=True, max_size=40),
    parts=st.sampled_from([1, 3, 8]),
    at_once=st.sampled_from([1, 7, 1000]),
    memory_mb=st.sampled_from([NOTHING, ENOUGH]),
)
def test_parts_come_back_in_the_order_of_all_keys(
    tmp_path_factory, keys, parts, at_once, memory_mb
):
    frame = pl.DataFrame({"image_key": keys}, schema={"image_key": pl.String})
    folder = tmp_path_factory.mktemp("order") / "ranges"
    order = KeyOrder(folder, parts, memory_mb, rows_at_once=at_once)
    for part in split(frame, "image_key", parts):
        order.add(part.sort("image_key"))
    taken = list(order.take())
    assert_frame_equal(pl.concat([frame.clear(), *taken]), frame.sort("image_key"))


def test_ranges_hold_about_as_many_rows_as_are_asked_for(tmp_path):
    everything = rows(0, 20_000)
    order = KeyOrder(tmp_path / "ranges", 8, NOTHING, rows_at_once=1000)
    for part in split(everything, "image_key", 8):
        order.add(part.sort("image_key"))
    heights = [frame.height for frame in order.take()]
    assert len(heights) >= 18 and max(heights) < 2000
    assert list(KeyOrder(tmp_path / "none", 8, NOTHING).take()) == []


@pytest.mark.parametrize("buckets", [1, 3, 4, 8])
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_table_comes_in_parts_whatever_its_buckets(tmp_path, buckets, parts):
    store, everything = ObjectStore(str(tmp_path / "store")), rows(0, 1000)
    shuffled = everything.sample(fraction=1, shuffle=True, seed=Random(buckets).randrange(99))
    write_table(store, "table", shuffled, key="image_key", buckets=buckets)
    table = open_parts(store, "table", parts, Path(tmp_path / "parts"), NOTHING)
    for part, expected in enumerate(split(everything, "image_key", parts)):
        for _ in range(2):
            found = table(part).collect().sort("image_key")
            assert_frame_equal(found, expected.sort("image_key"))
    assert (tmp_path / "parts").exists() is bool(buckets % parts)


def test_a_table_that_was_never_made_says_what_to_do(tmp_path):
    store = ObjectStore(str(tmp_path / "store"))
    with pytest.raises(FileNotFoundError, match="make its asset first"):
        open_parts(store, "table", 4, tmp_path / "parts", ENOUGH)
