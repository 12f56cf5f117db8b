import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA
from dataproc_assets.sources.merger import FIELDS, merge_source
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


@pytest.mark.parametrize("source", sorted(RAW))
def test_all_sources_have_the_same_columns_and_types(source):
    merged = merge(source, records_of(source, {}))
    reference = merge("danbooru", records_of("danbooru", {}))
    assert [name.removeprefix(f"{source}__") for name in merged.columns] == [
        name.removeprefix("danbooru__") for name in reference.columns
    ]
    assert merged.dtypes == reference.dtypes
    own = [*FIELDS, *(name for name in METRICS if name != "image_key")]
    assert [name for name in merged.columns if "__" in name] == [f"{source}__{f}" for f in own]


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


def test_a_danbooru_post_of_a_banned_artist_is_banned():
    records = records_of("danbooru", {"tag_string_artist": "someone banned_artist"})
    assert merge("danbooru", records)["danbooru__status"].to_list() == ["banned"]


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
