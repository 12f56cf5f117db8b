import polars as pl
import pytest

from dataproc_assets.safety.taken import follows, named
from dataproc_assets.sources.columns import RECORD_SCHEMA

POST = {"post": pl.col("image_key").str.extract(r"/(\d+)")}
ENTRIES = pl.Schema(dict.fromkeys(("id", "kind", "value", "scope"), pl.String))
PRINTS = pl.Schema({"of": pl.String, "md5": pl.String})


def entries(*rows: tuple[str, str], scope: str = "picture") -> pl.DataFrame:
    told = [(f"id{number}", *row, scope) for number, row in enumerate(rows)]
    return pl.DataFrame(told, schema=ENTRIES, orient="row")


def keys(*asked: tuple[str, str], own=POST) -> list[str]:
    rows = pl.LazyFrame({"image_key": ["pixiv/1_p0", "pixiv/1_p1", "pixiv/11_p0", "pixiv/2_p0"]})
    return named(rows, entries(*asked), "pixiv", own).to_list()


def record(key: str, **values) -> dict:
    return {"image_key": key, "post_id": key.split("/")[1], "artist_names": [], **values}


def said(source: str, *records: dict, asked=(), prints=(), scope="picture") -> set[tuple]:
    frame = pl.DataFrame(list(records), schema=RECORD_SCHEMA).lazy()
    known = pl.DataFrame(list(prints), schema=PRINTS, orient="row")
    found = follows(frame, entries(*asked, scope=scope), known, source)
    return set(found.select("kind", "value", "of").iter_rows())


@pytest.mark.parametrize(
    ("asked", "hit"),
    [
        (("key", "pixiv/1_p0"), ["pixiv/1_p0"]),
        (("post", "pixiv/1"), ["pixiv/1_p0", "pixiv/1_p1"]),
        (("key", "pixiv/1"), []),
        (("key", "danbooru/1_p0"), []),
        (("post", "danbooru/1"), []),
        (("artist", "pixiv/1"), []),
    ],
)
def test_a_key_and_a_post_name_their_images_and_no_others(asked, hit):
    assert keys(asked) == hit


def test_two_entries_name_an_image_once():
    assert keys(("key", "pixiv/1_p1"), ("post", "pixiv/1")) == ["pixiv/1_p0", "pixiv/1_p1"]


def test_one_file_under_two_keys_is_named_by_either():
    asset = {**POST, "asset": pl.col("image_key").str.extract(r"_([a-z]+)$")}
    rows = pl.LazyFrame({"image_key": ["artstation/7_abc", "artstation/x7_abc", "artstation/7_d"]})
    found = named(rows, entries(("key", "artstation/7_abc")), "artstation", asset)
    assert found.to_list() == ["artstation/7_abc", "artstation/x7_abc"]


def test_an_artist_is_a_user_of_one_platform_or_a_name_on_all():
    mine = record("pixiv/1", artist_ids=["7"], artist_names=["Ada Lovelace"])
    other = record("pixiv/2", artist_ids=["8"], artist_names=["Bo"])
    assert said("pixiv", mine, other, asked=[("artist", "pixiv/7")]) == {("post", "pixiv/1", "id0")}
    assert said("pixiv", mine, other, asked=[("artist", "twitter/7")]) == set()
    assert said("pixiv", mine, other, asked=[("artist", "7")]) == set()
    for name in ("ada_lovelace", "ＡＤＡ ＬＯＶＥＬＡＣＥ", "@Ada-Lovelace"):
        found = said("pixiv", mine, other, asked=[("artist", name)])
        assert found == {("post", "pixiv/1", "id0")}, name
    tagged = record("danbooru/3", tags_artist=["ada_lovelace"])
    assert said("danbooru", tagged, asked=[("artist", "Ada Lovelace")]) == {
        ("post", "danbooru/3", "id0")
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://www.pixiv.net/artworks/12",
        "https://www.pixiv.net/en/artworks/12?x=1",
        "https://phixiv.net/artworks/12",
        "https://pixiv.net/member_illust.php?mode=medium&illust_id=12",
    ],
)
def test_a_url_names_a_post_by_whatever_name_its_site_goes(url):
    works = [
        record(f"pixiv/{n}", post_url=f"https://www.pixiv.net/artworks/{n}") for n in (1, 12, 123)
    ]
    assert said("pixiv", *works, asked=[("url", url)]) == {("post", "pixiv/12", "id0")}
    elsewhere = record("danbooru/12", post_url="https://danbooru.donmai.us/posts/12")
    assert said("danbooru", elsewhere, asked=[("url", url)]) == set()


def test_a_file_is_known_by_the_md5_that_its_record_tells():
    post = record("danbooru/3", md5="AB" * 16)
    assert said("danbooru", post, asked=[("hash", "ab" * 16)]) == {("key", "danbooru/3", "id0")}
    assert said("danbooru", post, prints=[("of1", "ab" * 16)]) == {("key", "danbooru/3", "of1")}
    assert said("danbooru", record("danbooru/4"), prints=[("of1", None)]) == set()


def test_a_post_that_names_a_taken_work_as_its_source_goes_where_copies_go():
    page = record("danbooru/3", linked_pixiv_id="9", linked_pixiv_page=1)
    post = record("danbooru/4", linked_pixiv_id="9")
    work = [("post", "pixiv/9")]
    both = {("key", "danbooru/3", "id0"), ("key", "danbooru/4", "id0")}
    assert said("danbooru", page, post, asked=work) == both
    assert said("danbooru", page, post, asked=work, scope="post") == set()
    assert said("danbooru", page, post, asked=[("key", "pixiv/9_p1")]) == {
        ("key", "danbooru/3", "id0")
    }
    assert said("danbooru", page, post, asked=[("key", "pixiv/9_p0")]) == set()
