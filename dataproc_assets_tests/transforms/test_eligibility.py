import polars as pl

from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA
from dataproc_assets.transforms.eligibility import eligibility


def judge(images=(), records=()) -> dict[str, list[str]]:
    """Keys and their reasons; a record is (key, reasons)."""
    inventory = pl.LazyFrame(
        {"image_key": images, "ext": ["webp"] * len(images)},
        schema={"image_key": pl.String, "ext": pl.String},
    )
    judged = pl.LazyFrame(
        [{"image_key": key, "drop_reasons": reasons} for key, reasons in records],
        schema={"image_key": pl.String, "drop_reasons": pl.List(pl.String)},
    )
    rows = eligibility(inventory, judged).collect()
    assert dict(rows.schema) == dict(ELIGIBILITY_SCHEMA)
    firsts = rows["intake_drops"].list.first()
    assert rows["intake_drop"].equals(firsts.alias("intake_drop"), null_equal=True)
    assert rows["image_key"].to_list() == sorted(rows["image_key"])
    return dict(rows.select("image_key", "intake_drops").iter_rows())


def test_every_known_key_has_a_row_and_its_reasons():
    assert judge(
        images=["a/1", "a/2", "a/3"],
        records=[("a/1", []), ("a/2", ["old", "small"]), ("a/4", ["small"])],
    ) == {
        "a/1": [],
        "a/2": ["old", "small"],
        "a/3": ["no_record"],
        "a/4": ["no_image", "small"],
    }


def test_nothing_known_is_no_row():
    assert judge() == {}
