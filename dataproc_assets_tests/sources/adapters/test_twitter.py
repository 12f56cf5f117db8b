import json
from datetime import UTC, datetime

from dataproc_assets.sources.parse import parse_records
from dataproc_assets_tests.sources.raw import RAW, SOURCES, read, reason, without


def test_a_record_in_common_columns():
    record = read("twitter")
    assert record["image_key"] == "twitter/1499364669504786436_1"
    assert record["post_id"] == "1499364669504786436"
    assert record["created"] == datetime(2022, 3, 3, 12, tzinfo=UTC)
    assert (record["favourites"], record["followers"], record["language"]) == (2400, 12000, "ja")
    assert record["artist_names"] == ["artist", "A"]


def test_ids_over_2_to_53_keep_all_digits_as_int64_text_and_json():
    assert read("twitter", tweet_id=2**53 + 1)["post_id"] == "9007199254740993"
    assert read("twitter", tweet_id="9007199254740993")["post_id"] == "9007199254740993"
    line = json.dumps(RAW["twitter"] | {"tweet_id": 2**53 + 1}).encode()
    records, _ = parse_records(SOURCES["twitter"], [("here", line)])
    assert records["image_key"].item() == "twitter/9007199254740993_1"


def test_an_id_that_was_a_float_is_rejected():
    wrong = "a float loses digits of this id; store it as int64 or text"
    assert reason("twitter", tweet_id=1499364669504786436.0) == f"tweet_id: {wrong}"


def test_a_retweet_repeats_an_image():
    assert read("twitter", retweet_id=1499364669504786437)["kind"] == "retweet"
    assert read("twitter", retweet_id="0")["kind"] == "image"


def test_a_video_is_an_animation():
    assert read("twitter", type="video")["kind"] == "animation"


def test_sensitive_is_the_rating():
    assert read("twitter")["rating"] == "general"
    assert read("twitter", sensitive=True)["rating"] == "questionable"
    assert read("twitter", sensitive=True, sensitive_flags=["adult_content"])["rating"] == (
        "explicit"
    )
    assert read("twitter", sensitive=None)["rating"] is None


def test_no_views_are_from_before_views_were_counted():
    assert read("twitter", view_count=0)["views"] is None
    assert read("twitter", view_count=5)["views"] == 5


def test_a_record_without_the_number_of_its_image_is_rejected():
    records, rejects = parse_records(SOURCES["twitter"], [("here", without("twitter", "num"))])
    assert records.height == 0
    assert rejects["reason"].to_list() == ["num: field required"]


def test_an_undetermined_language_is_unknown():
    assert read("twitter", lang="und")["language"] is None
