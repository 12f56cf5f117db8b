"""What starts by itself: intake of a settled crawl, a pass within the budget, latents."""

from datetime import UTC, datetime, timedelta

import dagster as dg

from dataproc_assets.storage import layout
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import read_units, unit_rows
from dataproc_assets.transforms.pending import pass_seconds

Requests = list[dg.RunRequest] | dg.SkipReason | dg.SensorResult


def crawl_changes(lake: Lake, source: str, asked: str | None, now: datetime) -> Requests:
    """Ask for the intake of a source whose crawl differs from its inventory and has settled.

    Args:
        asked: the cursor: the digest of the listing that was last asked for.
        now: what the newest object's age is counted to.

    A tick that is repeated, or that ended before its cursor was kept, gives the same run key, for
    which Dagster starts no second run. Raises ConnectionError where the bucket is away, and
    ReportError where the report that stands for it is broken.
    """
    config = lake.project.sources[source]
    listing = lake.crawl(source)
    digest = listing.digest
    info = lake.info("inventory", source)
    if info and info.inputs.get("crawl") == digest:
        return dg.SkipReason(f"{source}: {listing.what}, all known")
    if digest == asked:
        return dg.SkipReason(f"{source}: the intake of this change was asked for already")
    if listing.newest is None:
        return dg.SkipReason(f"{source}: no object below {lake.bucket.uri(config.crawl.prefix)}")
    if now - listing.newest < timedelta(seconds=config.settle_seconds):
        return dg.SkipReason(f"{source}: written to less than {config.settle_seconds} s ago")
    request = dg.RunRequest(
        run_key=f"{source}-{digest}",
        partition_key=source,
        asset_selection=[dg.AssetKey(name) for name in ("inventory", "records", "todo")],
        tags={"dataproc/source": source},
    )
    return dg.SensorResult(run_requests=[request], cursor=digest)


def pending_passes(lake: Lake) -> Requests:
    """Ask for the metric pass of every source with pending units within the budget."""
    requests, over = [], []
    for source in sorted(lake.project.sources):
        units = read_units(lake.store, layout.todo_path(source))
        rows = unit_rows(units)
        if rows is None:
            continue
        seconds = pass_seconds(rows, lake.seconds_per_image())
        if seconds > lake.project.profile.budget.pass_seconds:
            over.append(f"{source}: about {seconds:.0f} s is over the budget; start it by hand")
            continue
        requests.append(
            dg.RunRequest(
                run_key=f"{source}-{json_digest(sorted(units))}",
                partition_key=source,
                asset_selection=[dg.AssetKey(name) for name in lake.project.pass_metrics],
                tags={"dataproc/source": source},
            )
        )
    return requests or dg.SkipReason("; ".join(over) or "all that is eligible is scored")


def unencoded_releases(lake: Lake) -> Requests:
    """Ask for the latents of every published release that has none."""
    requests = [
        dg.RunRequest(
            run_key=f"{name}-{lake.state('release', name)}",
            partition_key=name,
            asset_selection=[dg.AssetKey("latents")],
        )
        for name, release in sorted(lake.project.releases.items())
        if release.latents and lake.state("release", name) and not lake.state("latents", name)
    ]
    return requests or dg.SkipReason("every published release has its latents")


def sensors(lake: Lake) -> list[dg.SensorDefinition]:
    """One sensor for each source's crawl, one for pending passes, releases and automation."""
    config = lake.project.profile.sensors
    running, stopped = dg.DefaultSensorStatus.RUNNING, dg.DefaultSensorStatus.STOPPED
    status = running if config.status == "running" else stopped
    every = {"minimum_interval_seconds": config.interval_seconds, "default_status": status}
    intake = dg.AssetSelection.assets("inventory", "records", "todo")
    passes = dg.AssetSelection.assets(*lake.project.pass_metrics)

    @dg.sensor(
        name="pending_passes",
        target=passes,
        description="Starts the metric pass of what is pending, if it is within the budget.",
        **every,
    )
    def pass_sensor() -> Requests:
        return pending_passes(lake)

    @dg.sensor(
        name="unencoded_releases",
        target=dg.AssetSelection.assets("latents"),
        description="Starts the latents of a release once it is published.",
        **every,
    )
    def release_sensor() -> Requests:
        return unencoded_releases(lake)

    automation = dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=status,
        minimum_interval_seconds=config.interval_seconds,
        description="Remakes the cheap assets whose inputs or configuration changed.",
    )
    crawls = [_crawl_sensor(lake, source, intake, every) for source in sorted(lake.project.sources)]
    return [*crawls, pass_sensor, release_sensor, automation]


def _crawl_sensor(
    lake: Lake, source: str, target: dg.AssetSelection, every: dict
) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{source}_crawl",
        target=target,
        description=f"Starts the intake of {source} when its crawl changed and has settled.",
        **every,
    )
    def sensor(context: dg.SensorEvaluationContext) -> Requests:
        return crawl_changes(lake, source, context.cursor, datetime.now(UTC))

    return sensor
