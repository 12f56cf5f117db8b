import logging
from dataclasses import dataclass, field

import dagster as dg
import polars as pl
import pytest

from dataproc_assets.config.metrics import OpenClip
from dataproc_assets.defs.run_pass import OverBudget, job_metadata, left_of, progress_log, run_pass
from dataproc_assets.models.weights import WeightsError
from dataproc_assets.runners import JobResult, Progress
from dataproc_assets.runners.base import watching
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets_tests.defs.world import World


@dataclass
class Heard(logging.Handler):
    """Keeps what was logged."""

    lines: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    __hash__ = logging.Handler.__hash__


def test_units_that_lack_none_of_the_metrics_start_no_job(finished: World):
    metrics = {"clip": finished.lake.project.metrics["clip"]}
    units = {"a.todo.parquet": _unit([["pixels"], ["softmax", "tagger"]])}
    with dg.build_asset_context() as context:
        assert run_pass(context, finished.lake, "pixiv", metrics, units) == {"images": 0}
        assert run_pass(context, finished.lake, "pixiv", metrics, {}) == {"images": 0}


def test_weights_that_are_other_ones_fail_the_pass_before_a_worker_starts(world: World):
    """Said by this process and not by a worker, whose error would be a JobFailed."""
    clip = world.lake.project.metrics["clip"]
    assert isinstance(clip, OpenClip)
    digest, wrong = clip.encoder.weights.sha256, {"sha256": "0" * 64}
    world.change("metrics/clip.yaml", lambda conf: conf["encoder"]["weights"].update(wrong))
    world.change("metrics/caption.yaml", lambda conf: conf["bank"].update(uri="hf://a/b/c.json"))
    metrics = {name: world.lake.project.metrics[name] for name in ("clip", "caption", "pixels")}
    units = {"a.todo.parquet": _unit([["clip", "caption", "pixels"]])}
    with dg.build_asset_context() as context, pytest.raises(WeightsError) as error:
        run_pass(context, world.lake, "pixiv", metrics, units)
    first, second = str(error.value).splitlines()
    assert first.startswith("conf/metrics/clip.yaml:")
    assert ": encoder.weights: /" in first and f"has sha256 {digest}, expected 00" in first
    assert second.startswith("conf/metrics/caption.yaml:")
    assert second.endswith("fetch it with: dataproc weights fetch caption")


@pytest.mark.parametrize(
    ("limit", "over"),
    [
        ({"pass_cost": 0.01}, "a cost of about 0.20 is over the budget's 0.01"),
        ({"pass_hours": 1e-9}, "is over the budget's 1e-09 h"),
    ],
)
def test_a_pass_over_the_budget_is_not_started_and_says_the_figure(world: World, limit, over):
    each = world.lake.parts.rate("pixiv").seconds["clip"]
    price = {"price_per_hour": 0.1 * 3600 / each}
    world.change("profiles/local.yaml", lambda profile: profile["runner"].update(price))
    world.change("profiles/local.yaml", lambda profile: profile["budget"].update(limit))
    metrics = {"clip": world.lake.project.metrics["clip"]}
    units = {"a.todo.parquet": _unit([["clip"], ["clip"]])}
    with dg.build_asset_context() as context, pytest.raises(OverBudget, match="pixiv: 2 images"):
        run_pass(context, world.lake, "pixiv", metrics, units)
    with dg.build_asset_context() as context, pytest.raises(OverBudget, match=over):
        run_pass(context, world.lake, "pixiv", metrics, units)


def test_what_a_joined_job_left_are_the_rows_without_a_finished_part(world: World):
    lake = world.lake
    clip, *_ = lake.parts.paths("clip", "pixiv")
    lost = pl.read_parquet(lake.store.get(clip)).select("image_key", "version")
    columns = ["image_key", "version", "uri", "offset", "length"]
    images, scored = lake.read("inventory", "pixiv"), lake.parts.done("clip", "pixiv")
    rows = images.select(columns).join(scored, on=["image_key", "version"], how="semi").collect()
    units = {"a": to_parquet(rows.with_columns(metrics=pl.lit(["clip", "pixels"])))}
    assert left_of(lake, "pixiv", units) == {}
    lake.store.delete(clip)
    (unit,) = left_of(lake, "pixiv", units).values()
    found = pl.read_parquet(unit)
    assert found.select("image_key", "version").rows() == lost.sort("image_key").rows()
    assert found["metrics"].to_list() == [["clip"]] * lost.height
    assert found.columns == [*columns, "metrics"]


def test_a_jobs_result_as_metadata():
    progress = Progress(done=9, total=10, errors={"truncated": 1}, images_per_second=4.5)
    assert job_metadata(JobResult(progress, workers=2, seconds=2.0)) == {
        "images": 9,
        "errors": {"truncated": 1},
        "images_per_second": 4.5,
        "workers": 2,
        "seconds": 2.0,
    }


def test_progress_is_told_at_first_and_at_the_end_and_not_at_each_call():
    heard = Heard()
    with dg.build_asset_context() as context:
        context.log.addHandler(heard)
        log = progress_log(context, "pixiv")
        for done in (1, 2, 3):
            log(Progress(done=done, total=10, errors={}, images_per_second=2.0))
        log(Progress(done=10, total=10, errors={"truncated": 1}, images_per_second=2.0))
    lines = [line for line in heard.lines if "images" in line]
    assert len(lines) == 2
    assert lines[0].endswith("pixiv: 1 of 10 images, 2.0/s, 4 s left")
    assert lines[1].endswith("pixiv: 10 of 10 images, 2.0/s, 0 s left, errors {'truncated': 1}")


def test_who_watches_sees_every_report_and_the_log_is_quieter():
    seen = []
    token = watching.set(lambda what, progress: seen.append((what, progress.done)))
    try:
        with dg.build_asset_context() as context:
            heard = Heard()
            context.log.addHandler(heard)
            log = progress_log(context, "pixiv")
            for done in range(5):
                log(Progress(done=done, total=4, images_per_second=1.0))
    finally:
        watching.reset(token)
    assert seen == [("pixiv", done) for done in range(5)]
    assert "pixiv: 4 of 4 images" in heard.lines[-1]
    assert len(heard.lines) <= 2


def _unit(metrics: list[list[str]]) -> bytes:
    keys = [f"pixiv/{number}_p0" for number in range(len(metrics))]
    return to_parquet(pl.DataFrame({"image_key": keys, "metrics": metrics}))
