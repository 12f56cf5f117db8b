from datetime import UTC, datetime

import polars as pl
import pytest

from dataproc_assets.safety.quarantine import by_id_only
from dataproc_assets.transforms.merge_tags import TAG

MADE = datetime(2024, 1, 2, tzinfo=UTC)


def image(number, **values):
    return {
        "image_id": f"i{number}",
        "representative": f"pixiv/{number}_p0",
        "members": [f"pixiv/{number}_p0", f"danbooru/{number}"],
        "sha256": f"sha{number}",
        "pixels": 4096,
        "aspect": 1.0,
        "created": MADE,
        "opt_out": False,
        "title": "a title",
        "sources": ["danbooru", "pixiv"],
        "tags": [],
        "losing": [{"value": "bo", "weight": 0.5}],
        **values,
    }


SCHEMA = {"tags": pl.List(TAG), "title": pl.String, "opt_out": pl.Boolean}


def kept_by_id(images, held):
    frame = pl.LazyFrame(images, schema_overrides=SCHEMA)
    keys = pl.LazyFrame({"image_key": held}, schema={"image_key": pl.String})
    out = by_id_only(frame, keys).collect()
    assert out.schema == {**frame.collect_schema(), "quarantined": pl.Boolean}
    return out.rows(named=True)


def test_of_a_quarantined_image_the_ids_are_left():
    (row,) = kept_by_id([image(1)], ["pixiv/1_p0"])
    assert row == {
        "image_id": "i1",
        "representative": "pixiv/1_p0",
        "members": ["pixiv/1_p0", "danbooru/1"],
        "sha256": None,
        "pixels": None,
        "aspect": None,
        "created": None,
        "opt_out": None,
        "title": None,
        "sources": [],
        "tags": [],
        "losing": [],
        "quarantined": True,
    }


def test_every_other_row_stays_as_it_is_and_in_its_place():
    rows = [image(2, title=None), image(1), image(3, opt_out=None)]
    out = kept_by_id(rows, ["pixiv/1_p0", "pixiv/1_p0", "elsewhere/9"])
    assert [row["image_id"] for row in out] == ["i2", "i1", "i3"]
    assert [row["quarantined"] for row in out] == [False, True, False]
    for place in (0, 2):
        assert out[place] == {**rows[place], "quarantined": False}


@pytest.mark.parametrize("held", [[], [None]])
def test_nothing_held(held):
    (row,) = kept_by_id([image(1)], held)
    assert row == {**image(1), "quarantined": False}


def test_a_column_of_that_name_is_decided_afresh():
    frame = pl.LazyFrame([{**image(1), "quarantined": True}], schema_overrides=SCHEMA)
    out = by_id_only(frame, pl.LazyFrame(schema={"image_key": pl.String})).collect()
    assert out["quarantined"].to_list() == [False] and out["title"].to_list() == ["a title"]
