import polars as pl
import pytest

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.defs.metrics import with_columns
from dataproc_assets.storage.parts import EMPTY_PART
from dataproc_assets_tests.defs.results import cause, checks, data_version, metadata
from dataproc_assets_tests.defs.world import World

INTAKE = ("inventory", "records", "todo")


def test_any_metrics_of_the_pass_can_be_asked_for_alone(finished: World):
    """Nothing is pending, so no job is started; the parts that there are stand."""
    result = finished.make("clip", "pixels", partition="pixiv")
    assert result.success
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"clip", "pixels"}
    told = metadata(result, "clip")
    assert (told["images"], told["dagster/row_count"], told["parts"]) == (0, 3, 2)
    assert told["fingerprint"] == finished.lake.parts.fingerprint("clip")
    assert data_version(result, "clip") == finished.lake.state("clip", "pixiv")


@pytest.mark.slow  # a process that loads torch
def test_the_pass_is_a_job_of_its_own_that_writes_parts(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    result = crawled.make("pixels", partition="pixiv")
    assert result.success, cause(result)
    assert metadata(result, "pixels")["images"] == 3
    rows = crawled.lake.parts.read("pixels", "pixiv").collect()
    assert rows["status"].to_list() == ["ok"] * 3 and rows["pixels_width"].to_list() == [256] * 3
    written = crawled.make("todo", partition="pixiv")
    assert metadata(written, "todo")["pending"] == 3  # the other metrics are missing


def test_parts_become_one_row_an_image(finished: World):
    rows = finished.lake.read("metrics_merged", "pixiv").collect()
    assert rows["image_key"].to_list() == ["pixiv/100_p0", "pixiv/101_p0", "pixiv/103_p0"]
    assert rows["metrics_status"].to_list() == ["ok"] * 3
    assert "clip_score" in rows.columns and "clip_embedding" not in rows.columns


def test_without_parts_every_column_is_there_and_null(crawled: World):
    result = crawled.make(*INTAKE, "metrics_merged", partition="pixiv")
    assert result.success and checks(result)["metrics_merged:complete"] is False
    rows = crawled.lake.read("metrics_merged", "pixiv").collect()
    assert rows["metrics_status"].unique().to_list() == ["missing"]
    assert rows["clip_score"].null_count() == rows.height == 3
    assert rows.schema["tagger_tags"] == pl.List(
        pl.Struct({"tag": pl.String, "category": pl.String, "p": pl.Float32})
    )


def test_a_failed_image_keeps_its_error(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    broken = {"status": "failed", "error": "truncated: 10 of 20 bytes", "pixels_width": None}
    crawled.score("pixiv", pixels={"pixiv/101_p0": broken})
    result = crawled.make("todo", "metrics_merged", partition="pixiv")
    assert checks(result)["metrics_merged:few_failures"] is False
    row = crawled.lake.read("metrics_merged", "pixiv").filter(pl.col("image_key") == "pixiv/101_p0")
    assert row.select("metrics_status", "metrics_error").collect().row(0) == (
        "failed",
        "truncated: 10 of 20 bytes",
    )
    assert metadata(result, "todo")["pending"] == 0  # for good: it is not tried again


def test_the_late_metric_has_a_row_a_representative(finished: World):
    rows = finished.lake.read("caption").collect()
    standing = finished.lake.read("members").filter(pl.col("role") == "representative").collect()
    assert rows["image_key"].to_list() == standing["image_key"].to_list()
    assert rows["caption_text"][0] == f"a picture of {rows['image_key'][0]}"


def test_a_changed_fingerprint_leaves_the_old_parts_and_asks_again(world: World):
    before = world.lake.parts.paths("clip", "pixiv")
    world.change("metrics/clip.yaml", lambda conf: conf.update(version=2))
    assert world.lake.parts.paths("clip", "pixiv") == []
    assert not world.lake.fresh("todo", "pixiv")
    result = world.make("todo", partition="pixiv")
    assert metadata(result, "todo")["pending"] == 3
    assert all(world.lake.store.exists(path) for path in before)


def test_parts_without_columns_get_the_metrics_own(finished: World):
    metric: MetricConfig = finished.lake.project.metrics["softmax"]
    columns = with_columns(EMPTY_PART.to_frame().lazy(), metric).collect_schema()
    assert columns["softmax_nsfw"] == pl.Float32
