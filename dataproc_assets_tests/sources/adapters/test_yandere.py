from datetime import UTC, datetime

from dataproc_assets_tests.sources.raw import read, reason


def test_s_is_safe_and_not_sensitive_as_on_danbooru():
    assert read("yandere", rating="s")["rating"] == "general"
    assert read("danbooru", rating="s")["rating"] == "sensitive"


def test_q_and_e():
    assert read("yandere", rating="q")["rating"] == "questionable"
    assert read("yandere", rating="e")["rating"] == "explicit"


def test_g_is_not_a_rating_of_moebooru():
    assert reason("yandere", rating="g") == "rating: unknown value 'g'"


def test_times_are_epoch_seconds():
    assert read("yandere")["created"] == datetime(2025, 3, 16, 18, 46, 49, tzinfo=UTC)


def test_a_time_out_of_range_is_rejected():
    assert reason("yandere", created_at=10**18) == "created_at: not a time"


def test_the_uploader_is_no_artist_and_the_source_may_be_a_magazine():
    record = read("yandere")
    assert record["artist_names"] == []
    assert record["linked_source"] == "Animedia 2010-12"
    assert record["linked_pixiv_id"] is None


def test_a_held_post_is_pending_and_a_deleted_one_stays_deleted():
    assert read("yandere", is_held=True)["status"] == "pending"
    assert read("yandere", is_held=True, status="deleted")["status"] == "deleted"
