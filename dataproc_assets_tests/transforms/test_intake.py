from datetime import UTC, date, datetime

import polars as pl
import pytest

from dataproc_assets.transforms.intake import add_intake_columns
from dataproc_assets.transforms.rules import apply_rules
from dataproc_assets_tests.sources.raw import SOURCES, records_of

AS_OF = date(2026, 1, 31)


def columns(*rows) -> pl.DataFrame:
    schema = {
        "image_key": pl.String,
        "artist_ids": pl.List(pl.String),
        "favourites": pl.Int64,
        "created": pl.Datetime("us", "UTC"),
    }
    frame = pl.LazyFrame(list(rows), schema=schema, orient="row")
    return add_intake_columns(frame, AS_OF).collect().sort("image_key")


@pytest.mark.parametrize(
    ("created", "days"),
    [
        (datetime(2026, 1, 30, tzinfo=UTC), 1),
        (datetime(2026, 1, 30, 0, 0, 1, tzinfo=UTC), 0),
        (datetime(2026, 1, 31, tzinfo=UTC), 0),
        (datetime(2026, 1, 31, 0, 0, 1, tzinfo=UTC), -1),
        (datetime(2025, 1, 31, tzinfo=UTC), 365),
        (None, None),
    ],
)
def test_age_is_whole_days_rounded_down(created, days):
    assert columns(("a", [], 1, created))["age_days"].to_list() == [days]


def test_the_best_of_an_artist_counts_for_all_of_them():
    found = columns(
        ("a", ["1"], 10, None),
        ("b", ["1"], 1001, None),
        ("c", ["2"], 5, None),
        ("d", ["1", "2"], None, None),
        ("e", [], 7, None),
        ("f", ["3"], None, None),
    )
    assert found["artist_best_favourites"].to_list() == [1001, 1001, 5, 1001, None, None]
    assert found["artist_best_favourites"].dtype == pl.Int64


def reasons(source: str, *raws: dict) -> list[list[str]]:
    records = add_intake_columns(records_of(source, *raws).lazy(), AS_OF)
    judged = apply_rules(records, SOURCES[source].prefilter).sort("image_key").collect()
    return judged["drop_reasons"].to_list()


def tweet(number: int, artist: int, followers: int, likes: int) -> dict:
    author = {"id": artist, "name": "a", "followers_count": followers}
    return {"tweet_id": number, "author": author, "favorite_count": likes}


def test_twitter_accounts_are_judged_by_size():
    assert reasons(
        "twitter",
        tweet(1, 1, 10001, 1001),
        tweet(2, 1, 10001, 150),
        tweet(3, 1, 10001, 149),
        tweet(4, 2, 10001, 1000),
        tweet(5, 3, 10000, 501),
        tweet(6, 3, 10000, 49),
        tweet(7, 4, 1001, 500),
        tweet(8, 5, 1000, 101),
        tweet(9, 5, 1000, 9),
    ) == [
        [],
        [],
        ["large_account_few_likes"],
        ["large_account_without_success"],
        [],
        ["medium_account_few_likes"],
        ["medium_account_without_success"],
        [],
        ["small_account_few_likes"],
    ]


def test_twitter_drops_retweets_and_videos():
    assert (
        reasons("twitter", {"retweet_id": 5}, {"type": "video", "num": 2})
        == [["not_a_still_image"]] * 2
    )


def test_artstation_skips_covers():
    assert reasons("artstation", {"asset": {"id": 1, "asset_type": "cover"}}) == [
        ["not_a_still_image"]
    ]


def test_danbooru_drops_by_status_and_pixel_perfect_children():
    duplicate = "pixel-perfect_duplicate"
    assert reasons(
        "danbooru",
        {"id": 1, "is_deleted": True},
        {"id": 2, "is_banned": True},
        {"id": 3, "is_pending": True},
        {"id": 4, "is_flagged": True},
        {"id": 5, "tag_string_meta": duplicate, "parent_id": 1},
        {"id": 6, "tag_string_meta": duplicate},
        {"id": 7, "parent_id": 1},
    ) == [["not_active"]] * 3 + [[], ["pixel_perfect_child"], [], []]


def test_pixiv_asks_more_bookmarks_of_older_works():
    def work(number: int, created: str, bookmarks: int) -> dict:
        return {"id": number, "create_date": created, "total_bookmarks": bookmarks}

    assert reasons(
        "pixiv",
        work(1, "2026-01-30T00:00:00+00:00", 0),
        work(2, "2026-01-11T00:00:00+00:00", 9),
        work(3, "2026-01-11T00:00:00+00:00", 10),
        work(4, "2025-10-01T00:00:00+00:00", 49),
        work(5, "2025-10-01T00:00:00+00:00", 50),
        work(6, "2020-10-01T00:00:00+00:00", 99),
        work(7, "2020-10-01T00:00:00+00:00", 100),
    ) == [[], ["few_bookmarks_month"], [], ["few_bookmarks_year"], [], ["few_bookmarks_old"], []]
