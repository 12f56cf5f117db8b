import polars as pl

from dataproc_assets.defs.checks.curation import AUGMENTED, PREFILTERED
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.world import World

ONE = pl.col("image_key") == "pixiv/101_p0"


def test_all_pass_on_what_was_made(finished: World):
    for source in finished.lake.project.sources:
        assert failed(ask(PREFILTERED, finished.lake, "prefiltered", source)) == []
        assert failed(ask(AUGMENTED, finished.lake, "augmented", source)) == []


def test_a_lost_row_blocks(world: World):
    tamper(world.lake, "prefiltered", "pixiv", lambda rows: rows.filter(~ONE))
    results = ask(PREFILTERED, world.lake, "prefiltered", "pixiv")
    assert failed(results) == ["no_row_lost"]
    assert results["no_row_lost"].severity.value == "ERROR"
    assert figures(results["no_row_lost"]) == {"merged": 5, "prefiltered": 4}


def test_a_drop_without_a_reason_is_told(world: World):
    keep = pl.col("keep") & ~ONE
    tamper(world.lake, "prefiltered", "pixiv", lambda rows: rows.with_columns(keep))
    results = ask(PREFILTERED, world.lake, "prefiltered", "pixiv")
    assert failed(results) == ["every_drop_has_a_reason"]
    told = figures(results["every_drop_has_a_reason"])
    assert told == {"wrong": 1, "examples": ["pixiv/101_p0"]}


def test_a_kept_row_with_a_reason_is_told(world: World):
    reason = pl.when(ONE).then(pl.lit("why")).otherwise("drop_reason").alias("drop_reason")
    tamper(world.lake, "prefiltered", "pixiv", lambda rows: rows.with_columns(reason))
    results = ask(PREFILTERED, world.lake, "prefiltered", "pixiv")
    assert failed(results) == ["every_drop_has_a_reason"]


def test_rules_that_keep_nothing_are_told(world: World):
    nothing = {"keep": pl.lit(False), "drop_reason": pl.lit("low_clip_score")}
    tamper(world.lake, "prefiltered", "pixiv", lambda rows: rows.with_columns(**nothing))
    results = ask(PREFILTERED, world.lake, "prefiltered", "pixiv")
    assert failed(results) == ["something_kept"]
    assert figures(results["something_kept"]) == {"kept": 0}


def test_a_kept_row_without_a_bucket_is_told(world: World):
    bucket = pl.when(~ONE).then("bucket_width").alias("bucket_width")
    tamper(world.lake, "augmented", "pixiv", lambda rows: rows.with_columns(bucket))
    results = ask(AUGMENTED, world.lake, "augmented", "pixiv")
    assert failed(results) == ["kept_rows_have_a_bucket"]
    assert figures(results["kept_rows_have_a_bucket"])["examples"] == ["pixiv/101_p0"]


def test_posts_after_as_of_are_told(world: World):
    reason = pl.when(ONE).then(pl.lit("after_as_of")).otherwise("tier_reason").alias("tier_reason")
    tamper(world.lake, "augmented", "pixiv", lambda rows: rows.with_columns(reason))
    results = ask(AUGMENTED, world.lake, "augmented", "pixiv")
    assert failed(results) == ["no_post_is_after_as_of"]
    told = figures(results["no_post_is_after_as_of"])
    assert told == {"as_of": "2026-11-01", "wrong": 1, "examples": ["pixiv/101_p0"]}
