import polars as pl
import pytest

from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA
from dataproc_assets.transforms.eligibility import eligibility

NO_TAKEDOWNS = pl.LazyFrame(schema={"kind": pl.String, "value": pl.String})


def judge(images=(), records=(), takedowns=NO_TAKEDOWNS) -> dict[str, list[str]]:
    """Keys and their reasons; a record is (key, reasons) or (key, reasons, post, artists)."""
    inventory = pl.LazyFrame(
        {"image_key": images, "ext": ["webp"] * len(images)},
        schema={"image_key": pl.String, "ext": pl.String},
    )
    judged = pl.LazyFrame(
        [
            {
                "image_key": key,
                "drop_reasons": reasons,
                "post_id": rest[0] if rest else None,
                "artist_ids": rest[1] if rest else [],
                "artist_names": [],
            }
            for key, reasons, *rest in records
        ],
        schema={
            "image_key": pl.String,
            "drop_reasons": pl.List(pl.String),
            "post_id": pl.String,
            "artist_ids": pl.List(pl.String),
            "artist_names": pl.List(pl.String),
        },
    )
    rows = eligibility(inventory, judged, takedowns).collect()
    assert dict(rows.schema) == dict(ELIGIBILITY_SCHEMA)
    firsts = rows["intake_drops"].list.first()
    assert rows["intake_drop"].equals(firsts.alias("intake_drop"), null_equal=True)
    assert rows["image_key"].to_list() == sorted(rows["image_key"])
    return dict(rows.select("image_key", "intake_drops").iter_rows())


def takedown(kind: str, value: str) -> pl.LazyFrame:
    return pl.LazyFrame({"kind": [kind], "value": [value]})


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


@pytest.mark.parametrize(
    ("kind", "value", "hit"),
    [
        ("key", "a/1", {"a/1"}),
        ("post", "a/77", {"a/1", "a/2"}),
        ("artist", "9", {"a/2", "a/3"}),
        ("post", "b/77", set()),
        ("key", "77", set()),
        ("artist", "a/1", set()),
        ("hash", "a/1", set()),
    ],
)
def test_a_takedown_hits_by_key_post_or_artist(kind, value, hit):
    found = judge(
        images=["a/1", "a/2", "a/3", "a/4"],
        records=[("a/1", [], "77", []), ("a/2", [], "77", ["8", "9"]), ("a/3", [], "78", ["9"])],
        takedowns=takedown(kind, value),
    )
    assert {key for key, reasons in found.items() if "takedown" in reasons} == hit


def test_a_takedown_by_key_hits_an_image_without_a_record_and_comes_before_the_rules():
    found = judge(
        images=["a/1", "a/2"],
        records=[("a/2", ["small"])],
        takedowns=pl.concat([takedown("key", "a/1"), takedown("key", "a/2")]),
    )
    assert found == {"a/1": ["no_record", "takedown"], "a/2": ["takedown", "small"]}


def test_two_takedowns_of_one_image_are_one_row():
    twice = pl.concat([takedown("key", "a/1"), takedown("artist", "9"), takedown("key", "a/1")])
    assert judge(["a/1"], [("a/1", [], "7", ["9"])], twice) == {"a/1": ["takedown"]}
