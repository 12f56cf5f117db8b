"""The stages of a project in flow order, those of its late metrics among them."""

from typing import Any, Literal

from pydantic import BaseModel

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.project import Project
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.stages import (
    COMPARED,
    KEPT_METRICS,
    LATE_METRICS,
    PASS_METRICS,
    STAGES,
    Stage,
)


def stages(project: Project) -> dict[str, Stage]:
    """All stages by name in flow order, each late metric's after the stage it runs on."""
    kept = [_late(metric, "prefiltered") for metric in project.kept_metrics.values()]
    late = [_late(metric, "dedup_cross") for metric in project.late_metrics.values()]
    after = {"prefiltered": kept, "dedup_cross": late}
    ordered = [one for stage in STAGES for one in (stage, *after.get(stage.name, ()))]
    return {stage.name: stage for stage in ordered}


def _late(metric: MetricConfig, after: Literal["prefiltered", "dedup_cross"]) -> Stage:
    kept = after == "prefiltered"
    what = "what the prefilter kept" if kept else "representatives"
    return Stage(
        metric.name,
        "metrics",
        "source" if kept else None,
        (after, "inventory"),
        lambda p, _: part_fingerprint(p.metrics[metric.name], p.profile.decode),
        frozenset({metric.library, "parquet"}),
        f"{(type(metric).__doc__ or '').strip()} Runs late, on {what} alone.",
    )


def stage_inputs(project: Project, stage: str) -> list[str]:
    """The assets a stage reads, with the metrics' names in place of their marks."""
    named = {
        PASS_METRICS: list(project.pass_metrics),
        KEPT_METRICS: list(project.kept_metrics),
        LATE_METRICS: list(project.late_metrics),
        COMPARED: [project.dedup.embedding, project.dedup.detail.metric],
    }
    marks = stages(project)[stage].inputs
    return [name for mark in marks for name in named.get(mark, [mark])]


def config_digest(project: Project, stage: str, partition: str | None) -> str:
    """The digest of the configuration that one partition of a stage reads."""
    return json_digest(_plain(stages(project)[stage].reads(project, partition)))


def _plain(value: Any) -> Any:
    """A piece of configuration as plain JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
