"""The code location: every asset, check and sensor of the project that conf/ describes."""

import dagster as dg

from dataproc_assets.config.project import Project, load_project
from dataproc_assets.defs import (
    curation,
    denoiser,
    gallery,
    images,
    intake,
    late_metrics,
    metadata,
    metrics,
    prompts,
    release,
    sanitized,
    schedules,
    sensors,
)
from dataproc_assets.storage.lake import Lake


def build(project: Project, console: dg.LoggerDefinition | None = None) -> dg.Definitions:
    """The definitions of a project; `console` is where its runs log beside the UI."""
    lake = Lake(project)
    groups = (intake, metrics, late_metrics, metadata, curation, images)
    groups += (prompts, sanitized, release, denoiser, gallery)
    return dg.Definitions(
        assets=[asset for group in groups for asset in group.assets(lake)],
        sensors=sensors.sensors(lake),
        schedules=schedules.schedules(lake),
        executor=dg.in_process_executor,
        loggers={"console": console} if console else None,
    )


defs = build(load_project())
