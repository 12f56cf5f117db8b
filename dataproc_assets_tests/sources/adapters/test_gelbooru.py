from datetime import UTC, datetime

from dataproc_assets_tests.sources.raw import read, reason


def test_tags_are_html_unescaped():
    tags = ["2girls", "bang_dream!", "grabbing_another's_arm", "imai_lisa"]
    assert read("gelbooru")["tags_general"] == tags


def test_the_date_is_the_moment_in_utc():
    assert read("gelbooru")["created"] == datetime(2026, 9, 26, 8, 51, 9, tzinfo=UTC)


def test_a_date_that_is_none_is_rejected():
    assert reason("gelbooru", created_at="Sat Foo 26 03:51:09 -0500 2026") == (
        "created_at: not a time"
    )


def test_parent_0_is_no_parent():
    assert read("gelbooru", parent_id=0)["parent_id"] is None
    assert read("gelbooru", parent_id="0")["parent_id"] is None
    assert read("gelbooru", parent_id=12)["parent_id"] == "12"


def test_ratings_are_words():
    assert read("gelbooru", rating="sensitive")["rating"] == "sensitive"
    assert read("gelbooru", rating="safe")["rating"] == "general"


def test_the_uploader_is_no_artist():
    record = read("gelbooru")
    assert record["artist_names"] == []
    assert record["artist_ids"] == []


def test_numbers_written_as_text_are_numbers():
    record = read("gelbooru", id="14970719", width="1334", score="5")
    assert (record["image_key"], record["width"], record["score"]) == (
        "gelbooru/14970719",
        1334,
        5.0,
    )


def test_categories_that_the_crawler_fetched_are_used():
    record = read("gelbooru", tags_artist="ciel", tags="1girl ciel", tags_metadata="highres")
    assert record["tags_general"] == ["1girl"]
    assert record["tags_artist"] == record["artist_names"] == ["ciel"]
    assert record["tags_meta"] == ["highres"]


def test_a_status_that_is_not_known_hides_the_post():
    assert read("gelbooru", status="deleted")["status"] == "deleted"
    assert read("gelbooru", status="odd")["status"] == "hidden"
