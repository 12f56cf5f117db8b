from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.crawl import FILE_SCHEMA
from dataproc_assets.transforms.inventory import COLUMNS, hold_removals, inventory_rows

KEY = pl.format("x/{}", pl.col("name").str.extract(r"^([0-9]+)\."))


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def files(*items, modified: int = 1, version: str = "v") -> pl.DataFrame:
    """Files as (name, uri, offset)."""
    return pl.DataFrame(
        [(name, uri, offset, 5, 5, version, day(modified)) for name, uri, offset in items],
        schema=FILE_SCHEMA,
        orient="row",
    )


def inventory(*keys, **values) -> pl.DataFrame:
    listed = files(*((f"{key}.webp", f"/{key}", None) for key in keys), **values)
    return inventory_rows(listed, KEY)[0]


def test_a_name_gives_key_and_extension():
    rows, aside = inventory_rows(files(("7.WEBP", "/7.WEBP", None)), KEY)
    assert rows.columns == COLUMNS
    assert rows.row(0) == ("x/7", "/7.WEBP", None, 5, 5, "v", day(1), "webp")
    assert aside.is_empty()


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_files_of_one_key_the_smallest_address_counts_whatever_the_order(order):
    listed = files(("1.jpg", "/s.tar", 512), ("1.webp", "/s.tar", 2048), ("1.png", "/z", None))
    rows, aside = inventory_rows(listed[::order], KEY)
    assert rows.select("uri", "offset").rows() == [("/s.tar", 512)]
    assert aside.rows() == [
        ("/s.tar:1.webp", "another file has the key x/1"),
        ("/z", "another file has the key x/1"),
    ]


@given(st.permutations([512, 2048, 4096]))
def test_of_two_contents_of_one_key_the_same_counts_however_a_tar_is_packed(offsets):
    members = zip("abc", offsets, strict=True)
    listed = pl.concat(files(("1.webp", "/s.tar", at), version=version) for version, at in members)
    rows, aside = inventory_rows(listed, KEY)
    assert rows.select("version", "offset").rows() == [("a", offsets[0])]
    assert aside.height == 2


def test_a_file_of_another_name_is_set_aside():
    rows, aside = inventory_rows(files(("thumbs.webp", "/thumbs.webp", None)), KEY)
    assert rows.is_empty()
    assert aside.rows() == [("/thumbs.webp", "the file's name is not one of the source's")]


def test_the_first_inventory_removes_nothing():
    held = hold_removals(inventory(1, 2), None, 0.0)
    assert (held.added, held.removed, held.held_back) == (2, 0, False)
    assert held.rows["removed"].to_list() == [False, False]


@pytest.mark.parametrize(("limit", "held_back"), [(0.24, True), (0.25, False), (0.26, False)])
def test_a_removal_is_believed_up_to_the_limit(limit, held_back):
    before = hold_removals(inventory(1, 2, 3, 4), None, 0.0).rows
    held = hold_removals(inventory(1, 2, 3, 5), before, limit)
    assert (held.added, held.removed, held.removed_share) == (1, 1, 0.25)
    assert held.held_back is held_back
    removed = dict(held.rows.select("image_key", "removed").iter_rows())
    there = {"x/1": False, "x/2": False, "x/3": False, "x/5": False}
    assert removed == ({**there, "x/4": True} if held_back else there)
    assert held.rows["image_key"].is_sorted()


def test_a_bucket_that_went_empty_removes_nothing_until_it_is_back():
    before = hold_removals(inventory(1, 2), None, 0.1).rows
    gone = hold_removals(inventory(), before, 0.1)
    assert gone.rows["removed"].to_list() == [True, True]
    still = hold_removals(inventory(), gone.rows, 0.1)
    assert still.rows.equals(gone.rows)
    back = hold_removals(inventory(1, 2), still.rows, 0.1)
    assert back.rows.equals(before)
    assert (back.added, back.removed) == (0, 0)


def test_an_image_that_moved_is_neither_added_nor_removed():
    before = hold_removals(inventory(1), None, 0.0).rows
    rows, _ = inventory_rows(files(("1.webp", "/s.tar", 512)), KEY)
    held = hold_removals(rows, before, 0.0)
    assert (held.added, held.removed) == (0, 0)
    assert held.rows["uri"].item() == "/s.tar"


def test_a_listing_of_only_a_part_removes_nothing():
    before = hold_removals(inventory(1, 2, 3), None, 0.0).rows
    held = hold_removals(inventory(3, 4), before, 0.0, complete=False)
    assert held.rows.equals(hold_removals(inventory(1, 2, 3, 4), None, 0.0).rows)
    assert (held.added, held.removed, held.removed_share, held.held_back) == (1, 0, 0.0, False)
    gone = hold_removals(inventory(), before, 0.0)
    still = hold_removals(inventory(2), gone.rows, 0.0, complete=False)
    assert still.rows["removed"].to_list() == [True, False, True]


@pytest.mark.parametrize(("taken_at", "kept"), [(day(4), True), (day(5), False), (day(6), False)])
def test_what_is_newer_than_the_listing_is_not_removed(taken_at, kept):
    before = pl.concat([inventory(1, 2), inventory(3, modified=5)])
    before = hold_removals(before, None, 0.0).rows
    held = hold_removals(inventory(1), before, 1.0, taken_at=taken_at)
    assert held.rows["image_key"].to_list() == (["x/1", "x/3"] if kept else ["x/1"])
    assert held.removed == (1 if kept else 2)
    now = hold_removals(inventory(1), before, 1.0)
    assert now.removed == 2


def test_a_listing_does_not_bring_back_an_older_version():
    before = hold_removals(inventory(1, modified=5, version="new"), None, 0.0).rows
    old = inventory(1, modified=2, version="old")
    assert hold_removals(old, before, 0.0, taken_at=day(3)).rows["version"].item() == "new"
    later = inventory(1, modified=6, version="newer")
    assert hold_removals(later, before, 0.0, taken_at=day(3)).rows["version"].item() == "newer"
    assert hold_removals(old, before, 0.0).rows["version"].item() == "old"


def test_an_inventory_that_kept_no_times_is_compared_all_the_same():
    before = hold_removals(inventory(1, 2), None, 0.0).rows.drop("modified")
    held = hold_removals(inventory(1), before, 0.1, taken_at=day(1))
    assert held.held_back
    assert held.rows["modified"].to_list() == [day(1), None]
