import polars as pl
import pytest

from dataproc_assets.transforms.inventory import COLUMNS, hold_removals, inventory_rows

KEY = pl.format("x/{}", pl.col("name").str.extract(r"^([0-9]+)\."))


def files(*items) -> pl.DataFrame:
    """Files as (name, uri, offset)."""
    return pl.DataFrame(
        [(name, uri, offset, 5, 5, "v") for name, uri, offset in items],
        schema={
            "name": pl.String,
            "uri": pl.String,
            "offset": pl.Int64,
            "length": pl.Int64,
            "size": pl.Int64,
            "version": pl.String,
        },
        orient="row",
    )


def inventory(*keys) -> pl.DataFrame:
    rows, _ = inventory_rows(files(*((f"{key}.webp", f"/{key}", None) for key in keys)), KEY)
    return rows


def test_a_name_gives_key_and_extension():
    rows, aside = inventory_rows(files(("7.WEBP", "/7.WEBP", None)), KEY)
    assert rows.columns == COLUMNS
    assert rows.row(0) == ("x/7", "/7.WEBP", None, 5, 5, "v", "webp")
    assert aside.is_empty()


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_files_of_one_key_the_smallest_address_counts_whatever_the_order(order):
    listed = files(("1.jpg", "/s.tar", 512), ("1.webp", "/s.tar", 2048), ("1.png", "/z", None))
    rows, aside = inventory_rows(listed[::order], KEY)
    assert rows.select("uri", "offset").rows() == [("/s.tar", 512)]
    assert aside.rows() == [
        ("/s.tar:1.webp", "another file has the key x/1"),
        ("/z:1.png", "another file has the key x/1"),
    ]


def test_a_file_of_another_name_is_set_aside():
    rows, aside = inventory_rows(files(("thumbs.webp", "/thumbs.webp", None)), KEY)
    assert rows.is_empty()
    assert aside.rows() == [
        ("/thumbs.webp:thumbs.webp", "the file's name is not one of the source's")
    ]


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
