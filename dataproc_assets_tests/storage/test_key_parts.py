import polars as pl

from dataproc_assets.storage.key_parts import part_number, split

ROWS = pl.DataFrame({"image_key": [f"k{number}" for number in range(50)]}).with_row_index("n")


def test_a_part_has_the_rows_of_its_number_in_their_order():
    numbers = ROWS.select(part_number("image_key", 4)).to_series()
    parts = split(ROWS, "image_key", 4)
    assert [part.rows() for part in parts] == [ROWS.filter(numbers == n).rows() for n in range(4)]
    assert all(part.height for part in parts)


def test_a_part_of_parts_is_of_whole_buckets():
    whole = split(ROWS, "image_key", 2)[1]
    for bucket in (1, 3):
        assert set(split(ROWS, "image_key", 4)[bucket].rows()) <= set(whole.rows())


def test_asked_for_parts_come_in_that_order_and_an_empty_one_keeps_its_columns():
    few = ROWS.head(1)
    found = split(few, "image_key", 8, [7, 0, *range(1, 7)])
    assert sum(part.height for part in found) == 1
    assert {tuple(part.columns) for part in found} == {("n", "image_key")}
