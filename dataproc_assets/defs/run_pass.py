"""A metric pass on the profile's runner, with its progress in the run's log."""

import time
from collections.abc import Iterable
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.defs.pipes import messages
from dataproc_assets.models.check import require
from dataproc_assets.runners import (
    Job,
    JobResult,
    Progress,
    make_runner,
    worker_count,
    worker_price,
)
from dataproc_assets.runners.base import OnProgress, watching
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.units import make_units
from dataproc_assets.transforms.estimate import duration, estimate_pass, over_budget

LOG_SECONDS = 5.0
WATCHED_LOG_SECONDS = 60.0  # where somebody sees it all the time


class OverBudget(RuntimeError):  # noqa: N818
    """A pass that was not started, as its estimate is over the profile's budget."""


def run_pass(
    context: dg.AssetExecutionContext,
    lake: Lake,
    source: str,
    metrics: dict[str, MetricConfig],
    units: dict[str, bytes],
) -> dict[str, Any]:
    """Score the units with some metrics; nothing is started where nothing is asked of them.

    Returns metadata: images, errors by kind, images a second, workers, seconds.

    Raises:
        WeightsError: a file of a model is missing or another one; no worker was started.
        OverBudget: the estimate is over the profile's limits; no worker was started.
    """
    asked = _only(units, list(metrics))
    if not asked:
        context.log.info(f"{source}: nothing to score for {', '.join(metrics)}")
        return {"images": 0}
    profile = lake.project.profile
    if profile.runner.kind == "local":  # elsewhere are other files, which the workers verify
        require(*metrics.values())
    config = {
        "storage": lake.store.url,
        "source": source,
        "metrics": [metric.model_dump(mode="json") for metric in metrics.values()],
        "decode": profile.decode.model_dump(mode="json"),
    }
    _say_estimate(context, lake, source, metrics, asked)
    job = Job("dataproc_assets.jobs.metric_pass", config, asked, f"metrics-{source}")
    runner = make_runner(profile.runner, lake.store.url, messages(context))
    result = runner.run(job, progress_log(context, source))
    if result.joined:
        context.log.info(f"{source}: {result.joined} already ran and has ended; now what it left")
        return run_pass(context, lake, source, metrics, left_of(lake, source, asked))
    return job_metadata(result)


def left_of(lake: Lake, source: str, units: dict[str, bytes]) -> dict[str, bytes]:
    """The units without what has been scored since they were made, cut anew."""
    rows = pl.concat([from_parquet(data) for data in units.values()])
    each = rows.explode("metrics", empty_as_null=False)
    keys = ["image_key", "version"]
    for metric in sorted(set(each["metrics"])):
        done = lake.parts.done(metric, source).with_columns(metrics=pl.lit(metric)).collect()
        each = each.join(done, on=[*keys, "metrics"], how="anti")
    lacking = each.group_by(keys).agg(pl.col("metrics").sort())
    left = rows.drop("metrics").join(lacking, on=keys).select(rows.columns)
    return make_units(left.sort("image_key"), lake.project.profile.storage.unit_images)


def _say_estimate(
    context: dg.AssetExecutionContext,
    lake: Lake,
    source: str,
    metrics: Iterable[str],
    units: dict[str, bytes],
) -> None:
    """Log what the pass will take; raise OverBudget where that is more than it may."""
    runner, budget = lake.project.profile.runner, lake.project.profile.budget
    rows = [from_parquet(data) for data in units.values()]
    late = next((name for name in metrics if name not in lake.project.pass_metrics), None)
    rate = lake.parts.rate(source, late)
    workers, price = worker_count(runner), worker_price(runner)
    estimate = estimate_pass(rows, rate.seconds, workers, price, rate.images)
    context.log.info(f"{source}: {estimate}")
    if over := over_budget(estimate, budget.pass_hours, budget.pass_cost):
        raise OverBudget(
            f"{source}: {estimate}: {over}; nothing was started. Raise budget in the "
            "profile, or ask for fewer metrics"
        )


def job_metadata(result: JobResult) -> dict[str, Any]:
    """What a finished job did, as metadata."""
    return {
        "images": result.progress.done,
        "errors": result.progress.errors,
        "images_per_second": result.progress.images_per_second,
        "workers": result.workers,
        "seconds": result.seconds,
    }


def progress_log(
    context: dg.AssetExecutionContext, what: str, things: str = "images"
) -> OnProgress:
    """A callback that logs a job's progress now and then, and shows it to who watches."""
    last, logged = 0.0, -1
    show = watching.get()
    every = LOG_SECONDS if show is None else WATCHED_LOG_SECONDS

    def log(progress: Progress) -> None:
        nonlocal last, logged
        now = time.monotonic()
        if show is not None:
            show(what, progress)
        early = now - last < every and progress.done < progress.total
        if early or progress.done == logged:
            return
        last, logged = now, progress.done
        rate = progress.images_per_second
        left = f", {duration((progress.total - progress.done) / rate)} left" if rate else ""
        errors = f", errors {progress.errors}" if progress.errors else ""
        context.log.info(
            f"{what}: {progress.done} of {progress.total} {things}, {rate:.1f}/s{left}{errors}"
        )

    return log


def _only(units: dict[str, bytes], metrics: list[str]) -> dict[str, bytes]:
    """The units with the asked metrics alone, without the images that lack none of them."""
    kept = {}
    for name, data in units.items():
        wanted = pl.col("metrics").list.set_intersection(metrics).list.sort()
        rows = from_parquet(data).with_columns(metrics=wanted)
        rows = rows.filter(pl.col("metrics").list.len() > 0)
        if rows.height:
            kept[name] = to_parquet(rows)
    return kept
