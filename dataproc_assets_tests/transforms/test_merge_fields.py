import polars as pl
import pytest

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.merge_fields import merge_fields
from dataproc_assets_tests.transforms.frames import CREATED, TRUST, changed, conf, stacked

CURATION = conf("curation", CurationConfig)
NO_CAPTIONS = pl.DataFrame(schema={"image": pl.UInt32, "caption_text": pl.String})


def fields(*items, captions=NO_CAPTIONS, curation=CURATION):
    """The drawn fields of one image."""
    best = stacked(*items).collect().with_columns(image=pl.lit(0, pl.UInt32))
    return merge_fields(best, captions, pl.Series(["i"]), curation, TRUST).row(0, named=True)


def test_a_value_of_one_source_is_that_source_s():
    row = fields({"image_key": "pixiv/1", "title": "t", "artist_names": ["Ada", "Bo"]})
    assert (row["title"], row["title__source"], row["title__weight"]) == ("t", "pixiv", 0.9)
    assert (row["artist"], row["artist__losing"]) == ("Ada", [])


def test_a_blank_is_no_value_and_a_booru_s_artist_tag_is_an_artist():
    row = fields(
        {"image_key": "danbooru/1", "title": "  ", "artist_names": [" "], "tags_artist": ["bo"]}
    )
    assert (row["title"], row["title__source"], row["title__losing"]) == (None, None, [])
    assert row["artist"] == "bo"


def test_year_and_period_follow_the_date_that_won():
    old = CREATED.replace(year=2012)
    row = fields(
        {"image_key": "danbooru/1", "created": old}, {"image_key": "pixiv/2", "created": CREATED}
    )
    expected = {"danbooru": (old, 2012, "early"), "pixiv": (CREATED, 2024, "newest")}
    assert (row["created"], row["year"], row["period"]) == expected.pop(row["created__source"])
    ((loser, (value, _, _)),) = expected.items()
    assert [(one["source"], one["value"]) for one in row["created__losing"]] == [(loser, value)]


@pytest.mark.parametrize("seed", range(4))
def test_the_percentile_is_that_of_the_tier_s_winner(seed):
    row = fields(
        {"image_key": "danbooru/1", "tier": "best", "tier_percentile": 90.0},
        {"image_key": "pixiv/2", "tier": "low", "tier_percentile": 15.0},
        curation=changed(CURATION, seed=seed),
    )
    expected = {"danbooru": ("best", 90.0), "pixiv": ("low", 15.0)}
    assert (row["tier"], row["tier_percentile"]) == expected[row["tier__source"]]


def test_a_percentile_without_a_name_takes_part_in_the_draw():
    row = fields({"image_key": "pixiv/2", "tier_percentile": 15.0}, {"image_key": "danbooru/1"})
    assert (row["tier"], row["tier__source"], row["tier_percentile"]) == (None, "pixiv", 15.0)
    nobody = fields({"image_key": "danbooru/1"})
    assert (nobody["tier__source"], nobody["tier_percentile"]) == (None, None)


def test_the_captioner_is_a_source_of_the_caption():
    captions = pl.DataFrame({"image": [0], "caption_text": ["a hat"]}, schema=NO_CAPTIONS.schema)
    row = fields({"image_key": "danbooru/1"}, captions=captions)
    assert (row["caption"], row["caption__source"]) == ("a hat", "captioner")


def test_a_field_that_is_not_drawn_is_null():
    curation = changed(CURATION, merge=changed(CURATION.merge, fields=["title"]))
    row = fields({"image_key": "danbooru/1", "tags_artist": ["x"], "title": "t"}, curation=curation)
    assert row["title"] == "t"
    assert (row["artist"], row["created"], row["year"], row["tier_percentile"]) == (None,) * 4
    assert "artist__source" not in row
