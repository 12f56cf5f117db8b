from datetime import UTC, datetime

import pytest

from dataproc_assets.sources.parse import parse_records
from dataproc_assets_tests.sources.raw import SOURCES, read, reason, without


def test_a_record_in_common_columns():
    record = read("danbooru")
    assert record["image_key"] == "danbooru/294929"
    assert record["tags_character"] == ["batman", "heath_ledger", "joker_(dc)"]
    assert record["tags_meta"] == ["commentary_request", "photoshop_(medium)"]
    assert record["artist_names"] == ["bonocho"]
    assert record["artist_ids"] == []
    assert record["created"] == datetime(2008, 8, 12, 4, 46, 5, 385000, tzinfo=UTC)
    assert (record["width"], record["height"], record["page"]) == (895, 687, None)
    assert (record["score"], record["favourites"], record["status"]) == (1.0, 9, "active")


@pytest.mark.parametrize(
    ("code", "rating"),
    [("g", "general"), ("s", "sensitive"), ("q", "questionable"), ("e", "explicit")],
)
def test_s_is_sensitive(code, rating):
    assert read("danbooru", rating=code)["rating"] == rating


def test_an_unknown_rating_is_rejected_and_a_missing_one_is_unknown():
    assert reason("danbooru", rating="x") == "rating: unknown value 'x'"
    assert read("danbooru", rating=None)["rating"] is None


def test_a_post_without_file_url_and_md5_is_banned():
    raw = without("danbooru", "file_url", "md5")
    records, rejects = parse_records(SOURCES["danbooru"], [("here", raw)])
    assert rejects.height == 0
    assert records["status"].item() == "banned"
    assert records["md5"].item() is None


def test_a_dump_without_file_urls_is_not_banned():
    assert read("danbooru", file_url=None)["status"] == "active"


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({"is_flagged": True}, "flagged"),
        ({"is_flagged": True, "is_pending": True}, "pending"),
        ({"is_pending": True, "is_deleted": True}, "deleted"),
        ({"is_deleted": True, "is_banned": True}, "banned"),
    ],
)
def test_the_gravest_flag_is_the_status(flags, status):
    assert read("danbooru", **flags)["status"] == status


def test_ids_in_parquet_dumps_are_float64():
    record = read("danbooru", parent_id=162305.0, pixiv_id=1129835.0, source=None)
    assert record["parent_id"] == "162305"
    assert record["linked_pixiv_id"] == "1129835"
    assert record["linked_pixiv_page"] is None


def test_nan_in_parquet_dumps_is_unknown():
    record = read("danbooru", parent_id=float("nan"), pixiv_id=float("nan"), source=None)
    assert record["parent_id"] is None
    assert record["linked_pixiv_id"] is None


def test_a_fraction_is_no_id():
    assert reason("danbooru", pixiv_id=1129835.5) == "pixiv_id: not a whole number"


def test_a_float_beyond_2_to_53_has_lost_digits():
    wrong = "a float that large has lost digits; store it as int64 or text"
    assert reason("danbooru", parent_id=2.0**53 + 2) == f"parent_id: {wrong}"


def test_the_source_url_gives_the_pixiv_page_and_outranks_pixiv_id():
    source = "https://i.pximg.net/img-original/img/2008/07/09/16/10/23/555_p3.jpg"
    record = read("danbooru", source=source)
    assert (record["linked_pixiv_id"], record["linked_pixiv_page"]) == ("555", 3)
    assert record["linked_source"] == source


def test_a_video_is_an_animation():
    assert read("danbooru", file_ext="mp4")["kind"] == "animation"


def test_an_md5_that_is_none_is_rejected():
    assert reason("danbooru", md5="?") == "md5: not 32 hexadecimal digits"
