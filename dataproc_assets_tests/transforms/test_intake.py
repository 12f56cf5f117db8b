from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest
from pydantic import TypeAdapter

from dataproc_assets.config.rules import RuleList
from dataproc_assets.sources.columns import RECORD_SCHEMA
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
    others = RECORD_SCHEMA.to_frame().select(pl.exclude(schema))
    known = pl.DataFrame(list(rows), schema=schema, orient="row")
    frame = pl.concat([known, others], how="diagonal").lazy()
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


def judged(source: str, rules: list, *raws: dict) -> list[list[str]]:
    known = add_intake_columns(records_of(source, *raws).lazy(), AS_OF, SOURCES[source].ai_tags)
    return apply_rules(known, rules).sort("image_key").collect()["drop_reasons"].to_list()


def reasons(source: str, *raws: dict) -> list[list[str]]:
    return judged(source, SOURCES[source].prefilter, *raws)


def tweet(number: int, artist: int, followers: int | None, likes: int | None) -> dict:
    author = {"id": artist, "name": "a", "followers_count": followers}
    return {"tweet_id": number, "author": author, "favorite_count": likes}


LARGE, MEDIUM, SMALL = (f"{size}_account" for size in ("large", "medium", "small"))


@pytest.mark.parametrize(
    ("followers", "size", "mark", "least"),
    [
        (10_001, LARGE, 1000, 150),
        (10_000_000, LARGE, 1000, 150),
        (10_000, MEDIUM, 500, 50),
        (1_001, MEDIUM, 500, 50),
        (1_000, SMALL, 100, 10),
        (0, SMALL, 100, 10),
    ],
)
def test_an_account_is_judged_by_its_size(followers, size, mark, least):
    """No image of it passes the mark: all are dropped; one does: those below the least are."""
    below = reasons("twitter", tweet(1, 1, followers, mark - 1), tweet(2, 1, followers, least))
    at = reasons("twitter", tweet(1, 1, followers, mark), tweet(2, 1, followers, least))
    assert below == at == [[f"{size}_without_success"]] * 2
    likes = (mark + 1, least + 1, least, least - 1)
    above = reasons("twitter", *(tweet(n, 1, followers, like) for n, like in enumerate(likes)))
    assert above == [[], [], [], [f"{size}_few_likes"]]


def test_the_success_of_an_account_is_that_of_no_other():
    found = reasons("twitter", tweet(1, 1, 20_000, 5_000), tweet(2, 2, 20_000, 900))
    assert found == [[], ["large_account_without_success"]]


def test_an_account_of_unknown_size_and_unknown_likes_are_kept():
    found = reasons("twitter", tweet(1, 1, None, 3), tweet(2, 2, 20_000, None))
    assert found == [[], []]


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


@pytest.mark.parametrize(
    ("days", "least", "rule"),
    [
        (0, 0, None),
        (6, 0, None),
        (7, 10, "few_bookmarks_month"),
        (8, 10, "few_bookmarks_month"),
        (30, 10, "few_bookmarks_month"),
        (31, 50, "few_bookmarks_year"),
        (365, 50, "few_bookmarks_year"),
        (366, 100, "few_bookmarks_old"),
        (5000, 100, "few_bookmarks_old"),
    ],
)
def test_pixiv_asks_more_bookmarks_of_older_works(days, least, rule):
    created = (datetime.combine(AS_OF, time(), UTC) - timedelta(days=days)).isoformat()
    counts = [count for count in (least - 1, least, least + 1) if count >= 0]
    works = [{"id": n, "create_date": created, "total_bookmarks": c} for n, c in enumerate(counts)]
    dropped = [[rule]] if rule else []
    assert reasons("pixiv", *works) == [*dropped, [], []]


@pytest.mark.parametrize("changes", [{"create_date": None}, {"total_bookmarks": None}])
def test_a_pixiv_work_of_unknown_age_or_success_is_kept(changes):
    assert reasons("pixiv", {"total_bookmarks": 0, **changes}) == [[]]


def test_a_pixiv_work_that_not_all_may_see_is_dropped():
    assert reasons("pixiv", {"restrict": 1}) == [["not_public"]]


@pytest.mark.parametrize("source", ["gelbooru", "yandere"])
def test_boorus_drop_what_is_not_on_show(source):
    states = ("active", "flagged", "pending", "deleted", "held_back")
    found = reasons(source, *({"id": n, "status": state} for n, state in enumerate(states)))
    assert found == [[], [], *[["not_active"]] * 3]


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_images_too_small_to_show_anything_are_dropped(source):
    names = {"danbooru": ("image_width", "image_height")}.get(source, ("width", "height"))

    def dropped(width: int | None, height: int | None) -> bool:
        sizes = dict(zip(names, (width, height), strict=True))
        raw = {"asset": {"id": 1, **sizes}} if source == "artstation" else sizes
        (found,) = reasons(source, raw)
        return "too_small" in found

    assert [dropped(side, 900) for side in (63, 64, 65)] == [True, False, False]
    assert [dropped(900, side) for side in (63, 64, 65)] == [True, False, False]
    assert not dropped(None, 10)  # the decoded image will tell


def test_what_a_model_made_can_be_dropped_by_flag_and_by_tag():
    rule = {"name": "ai", "keep": "none_of", "column": "ai", "values": ["yes"], "missing": "keep"}
    rules = TypeAdapter(RuleList).validate_python([rule])
    works = [{"id": n, "illust_ai_type": n} for n in (0, 1, 2)]
    works.append({"id": 3, "illust_ai_type": 1, "tags": ["AIイラスト"]})
    assert judged("pixiv", rules, *works) == [[], [], ["ai"], ["ai"]]
