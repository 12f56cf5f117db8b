"""What starts by itself: intake of a settled crawl, a pass within the budget, latents."""

import warnings

import dagster as dg

from dataproc_assets.defs.sensors.crawl import crawl_sensor
from dataproc_assets.defs.sensors.cursor import failed_run
from dataproc_assets.defs.sensors.passes import pending_passes, unencoded_releases
from dataproc_assets.storage.lake import Lake

# Conditions in Python are marked beta, which is one more reason why Dagster is pinned.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*use_user_code_server.*")


def sensors(lake: Lake) -> list[dg.SensorDefinition]:
    """One sensor for each source's crawl, one for pending passes, releases and automation."""
    config = lake.project.profile.sensors
    running, stopped = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    status = running if config.status == "running" else stopped
    every = {"minimum_interval_seconds": config.interval_seconds, "default_status": status}

    @dg.sensor(
        name="pending_passes",
        target=dg.AssetSelection.assets(*lake.project.pass_metrics),
        description="Starts the metric pass of what is pending, if it is within the budget.",
        **every,
    )
    def pass_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return pending_passes(lake, context.cursor, failed_run(context.instance))

    @dg.sensor(
        name="unencoded_releases",
        target=dg.AssetSelection.assets("latents"),
        description="Starts the latents of a release once it is published.",
        **every,
    )
    def release_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return unencoded_releases(lake, context.cursor, failed_run(context.instance))

    automation = dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        use_user_code_server=True,  # its conditions read the storage
        description="Remakes the cheap assets whose inputs or configuration changed.",
        **every,
    )
    crawls = [crawl_sensor(lake, source, status) for source in sorted(lake.project.sources)]
    return [*crawls, pass_sensor, release_sensor, automation]
