import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.sources.adapters import danbooru
from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA
from dataproc_assets.sources.merger import MERGED_SCHEMA, merge_source
from dataproc_assets_tests.sources.raw import RAW, SOURCES, records_of

METRICS = {
    "image_key": pl.String,
    "metrics_status": pl.String,
    "metrics_error": pl.String,
    "clip_score": pl.Float32,
}


def merge(source: str, records: pl.DataFrame, metrics=(), eligibility=()) -> pl.DataFrame:
    return merge_source(
        records.lazy(),
        pl.LazyFrame(list(metrics), schema=METRICS, orient="row"),
        pl.LazyFrame(list(eligibility), schema=ELIGIBILITY_SCHEMA, orient="row"),
        SOURCES[source],
    ).collect()


def test_every_key_of_any_table_is_one_row():
    merged = merge(
        "danbooru",
        records_of("danbooru", {"id": 1}, {"id": 2}),
        metrics=[("danbooru/1", "ok", None, 1.5), ("danbooru/4", "failed", "not an image", None)],
        eligibility=[
            ("danbooru/1", True, True, None, [], "webp"),
            ("danbooru/2", False, True, "no_image", ["no_image"], None),
            ("danbooru/3", True, False, "no_record", ["no_record"], "jpg"),
        ],
    )
    columns = ("image_key", "has_image", "has_record", "intake_drop", "image_ext")
    assert merged.select(*columns[:4], "danbooru__clip_score", columns[4]).rows() == [
        ("danbooru/1", True, True, None, 1.5, "webp"),
        ("danbooru/2", False, True, "no_image", None, None),
        ("danbooru/3", True, False, "no_record", None, "jpg"),
        ("danbooru/4", False, False, None, None, None),
    ]
    assert merged["danbooru__post_id"].to_list() == ["1", "2", None, None]
    assert merged["intake_drops"].to_list() == [[], ["no_image"], ["no_record"], []]


def test_a_record_that_intake_did_not_list_has_a_record():
    assert merge("danbooru", records_of("danbooru", {}))["has_record"].to_list() == [True]


def plain(source: str, merged: pl.DataFrame) -> pl.Schema:
    """The schema without the source's prefix, of which no other has any."""
    names = [name.removeprefix(f"{source}__") for name in merged.columns]
    assert not any("__" in name for name in names)
    return pl.Schema(zip(names, merged.dtypes, strict=True))


EXPECTED = pl.Schema(
    {
        "image_key": pl.String,
        **MERGED_SCHEMA,
        **{name: kind for name, kind in METRICS.items() if name != "image_key"},
        **{name: kind for name, kind in ELIGIBILITY_SCHEMA.items() if name != "image_key"},
    }
)


@pytest.mark.parametrize("source", sorted(RAW))
def test_all_sources_have_the_same_columns_and_types(source):
    records = records_of(source, {})
    unknown = records.with_columns(
        pl.lit(None, kind).alias(name)
        for name, kind in records.schema.items()
        if name not in ("image_key", "source")
    )
    metrics = [("x/1", None, None, None)]
    for some in (records, records.clear(), unknown):
        assert plain(source, merge(source, some)) == EXPECTED
        assert plain(source, merge(source, some, metrics=metrics)) == EXPECTED
    assert merge(source, unknown).height == 1


def test_a_merge_of_ones_own_cannot_change_a_type(monkeypatch):
    loose = {"rating": pl.lit(None), "favourites": pl.lit(3, pl.Int8)}
    monkeypatch.setattr(
        danbooru, "merge", lambda joined: joined.with_columns(**loose), raising=False
    )
    assert plain("danbooru", merge("danbooru", records_of("danbooru", {}))) == EXPECTED


@pytest.mark.parametrize("tag", ["AI生成", "aiイラスト", "AI-Generated", "ai_assisted"])
def test_a_tag_makes_a_work_ai_whatever_its_own_flag_says(tag):
    records = records_of("pixiv", {"illust_ai_type": 1, "tags": ["風景", tag]})
    assert merge("pixiv", records)["pixiv__ai"].to_list() == ["yes"]


def test_without_such_a_tag_the_three_states_stay():
    records = records_of("pixiv", *({"id": n, "illust_ai_type": n} for n in (0, 1, 2)))
    assert merge("pixiv", records)["pixiv__ai"].to_list() == ["unknown", "no", "yes"]


def test_a_booru_tags_ai_under_meta():
    records = records_of("danbooru", {"tag_string_meta": "ai-generated"})
    assert merge("danbooru", records)["danbooru__ai"].to_list() == ["yes"]


def test_a_pixiv_work_tagged_r18_is_explicit():
    records = records_of("pixiv", {"x_restrict": None, "tags": ["R-18G"]}, {"id": 2, "tags": ["R"]})
    assert merge("pixiv", records)["pixiv__rating"].to_list() == ["explicit", "general"]


def of(source: str, *names: str, **raw) -> tuple:
    """Columns of the one merged row of a raw record."""
    row = merge(source, records_of(source, raw)).row(0, named=True)
    return tuple(row[f"{source}__{name}"] for name in names)


def test_a_danbooru_post_of_a_banned_artist_is_banned():
    tags = "someone banned_artist"
    status, names, kept = of(
        "danbooru", "status", "artist_names", "tags_artist", tag_string_artist=tags
    )
    assert (status, names, kept) == ("banned", ["someone"], ["someone", "banned_artist"])


def test_how_popular_a_pixiv_work_is_says_nothing_of_its_content():
    tags = ["風景", "1000users入り", "原神5000users入り", "R-18", "10users入りたい"]
    rating, left = of("pixiv", "rating", "tags_general", tags=tags)
    assert (rating, left) == ("explicit", ["風景", "原神", "10users入りたい"])


def test_a_link_in_a_pixiv_caption_is_no_caption():
    caption = "続きは<a href='https://x.example/1'>https://x.example/1</a>こちら"
    assert of("pixiv", "caption", "text_cut", caption=caption) == (
        "続きはこちら",
        "https://x.example/1",
    )


def test_links_and_last_hashtags_of_a_tweet_are_no_caption():
    content = "RT @ann: 描いた #ミク です #オリジナル ＃猫耳 https://t.co/Ab1"
    caption, tags, cut = of("twitter", "caption", "tags_general", "text_cut", content=content)
    assert caption == "描いた #ミク です"
    assert tags == ["オリジナル", "猫耳"]
    assert cut == "RT @ann:\nhttps://t.co/Ab1\n#オリジナル ＃猫耳"
    assert of("twitter", "caption", content="#a #b") == (None,)
    assert of("twitter", "caption", "text_cut", content="C# と #1位か") == ("C# と", "#1位か")
    assert of("twitter", "caption", "text_cut", content=None) == (None, None)


def test_a_hashtag_may_rate_a_tweet():
    assert of("twitter", "rating", "tags_general", hashtags=["r18", "猫"]) == ("explicit", ["猫"])


def test_artstation_tags_are_spelt_as_the_boards_spell_them():
    tags = ["Concept Art", "concept_art", "Game  Art", "nsfw"]
    rating, left = of("artstation", "rating", "tags_general", tags=tags)
    assert (rating, left) == ("explicit", ["concept_art", "game_art"])


def test_an_artstation_project_without_a_title_has_none():
    assert of("artstation", "title", "text_cut", title="Untitled") == (None, "Untitled")
    assert of("artstation", "title", title="Untitled 7") == ("Untitled 7",)


@pytest.mark.parametrize("source", ["gelbooru", "yandere"])
def test_a_board_without_categories_has_tags_of_the_file_among_the_others(source):
    tags = "1girl tagme highres translation_request bad_pixiv_id bad_hair_day joker_(dc)"
    general, meta = of(source, "tags_general", "tags_meta", tags=tags)
    assert general == ["1girl", "bad_hair_day", "joker_(dc)"]
    assert meta == ["highres", "translation_request", "bad_pixiv_id"]


def test_gelbooru_tags_are_escaped_once():
    assert of("gelbooru", "tags_general", tags="another&#039;s_arm &amp;_girl") == (
        ["another's_arm", "&_girl"],
    )


def test_a_row_without_record_stays_unknown():
    rows = [("pixiv/1_p0", True, False, "no_record", ["no_record"], "jpg")]
    merged = merge("pixiv", records_of("pixiv", {}).clear(), eligibility=rows)
    known = merged.select("pixiv__ai", "pixiv__rating", "pixiv__tags_general").row(0)
    assert known == (None, None, None)


def test_the_order_of_rows_does_not_matter():
    records = records_of("danbooru", *({"id": n} for n in range(9)))
    assert_frame_equal(
        merge("danbooru", records), merge("danbooru", records.sample(fraction=1, shuffle=True))
    )
