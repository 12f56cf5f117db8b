from datetime import UTC, datetime

import pytest

from dataproc_assets_tests.sources.raw import read, reason


def test_a_record_in_common_columns():
    record = read("pixiv")
    assert record["image_key"] == "pixiv/102932581_p0"
    assert (record["post_id"], record["page"], record["kind"]) == ("102932581", 0, "image")
    assert record["artist_ids"] == ["7386235"]
    assert record["artist_names"] == ["岛的鲸", "805482263"]
    assert record["tags_general"] == ["オリジナル", "風景", "女の子"]
    assert record["tags_character"] == []
    assert (record["favourites"], record["views"], record["score"]) == (1900, 11000, None)
    assert record["created"] == datetime(2022, 11, 19, 15, tzinfo=UTC)
    assert record["post_url"] == "https://www.pixiv.net/artworks/102932581"


@pytest.mark.parametrize(("code", "rating"), [(0, "general"), (1, "explicit"), (2, "explicit")])
def test_x_restrict_is_the_rating(code, rating):
    assert read("pixiv", x_restrict=code)["rating"] == rating


def test_a_rating_that_pixiv_does_not_know_is_rejected():
    assert reason("pixiv", x_restrict=7) == "x_restrict: not 0, 1 or 2"


@pytest.mark.parametrize(("code", "ai"), [(2, "yes"), (1, "no"), (0, "unknown"), (None, "unknown")])
def test_old_works_were_never_asked_whether_they_are_ai(code, ai):
    assert read("pixiv", illust_ai_type=code)["ai"] == ai


def test_width_and_height_are_of_page_0_only():
    first, second = read("pixiv", num=0), read("pixiv", num=1)
    assert (first["width"], first["height"]) == (2160, 3840)
    assert second["image_key"] == "pixiv/102932581_p1"
    assert (second["width"], second["height"]) == (None, None)


def test_tags_are_strings_or_objects():
    tags = [{"name": "女の子", "translated_name": "girl"}, "風景", {"name": "R-18"}]
    assert read("pixiv", tags=tags)["tags_general"] == ["女の子", "風景", "R-18"]


def test_tags_that_are_neither_are_rejected():
    assert reason("pixiv", tags=[{"label": "x"}]) == "tags: not tags"


def test_visible_is_about_who_crawled_but_restrict_hides():
    assert read("pixiv", visible=False)["status"] == "active"
    assert read("pixiv", restrict=2)["status"] == "hidden"


def test_a_placeholder_instead_of_the_work_is_hidden():
    url = "https://s.pximg.net/common/images/limit_sanity_level_360.png"
    assert read("pixiv", url=url)["status"] == "hidden"


def test_ugoira_is_an_animation():
    assert read("pixiv", type="ugoira")["kind"] == "animation"


def test_captions_are_html():
    caption = 'Deer &amp; bridge<br />see <a href="/x">here</a> 1 < 2'
    assert read("pixiv", caption=caption)["caption"] == "Deer & bridge\nsee here 1 < 2"
