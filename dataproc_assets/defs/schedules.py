"""Releases that start at a time which their YAML names."""

import dagster as dg
from dagster._utils.schedules import is_valid_cron_string

from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.config.yaml import ConfigError
from dataproc_assets.storage.lake import Lake


def schedules(lake: Lake) -> list[dg.ScheduleDefinition]:
    """One schedule a release that names one. Raises ConfigError where a cron is none."""
    return [
        _schedule(lake, release)
        for _, release in sorted(lake.project.releases.items())
        if release.schedule is not None
    ]


def due_release(lake: Lake, name: str) -> dg.RunRequest | dg.SkipReason:
    """Ask for a release, unless it is published or what it is made of is not up to date.

    A table whose blocking check failed is not up to date either. What lies before the search for
    duplicates is not asked: a crawl that goes on would hold a release back for ever.
    """
    if lake.state("release", name):
        return dg.SkipReason(
            f"release {name} is published and never changes: for a new one, copy "
            f"conf/releases/{name}.yaml to a new file and give it a new `name`"
        )
    recipes = lake.project.releases[name].recipes
    tables: list[tuple[str, str | None]] = [("dedup_cross", None), ("images", None)]
    tables += [(table, recipe) for table in ("prompts", "sanitized") for recipe in recipes]
    waits = [f"{table} {key or ''}".strip() for table, key in tables if not lake.fresh(table, key)]
    if waits:
        return dg.SkipReason(
            f"release {name} waits, since these are stale or failed a check: {', '.join(waits)}"
        )
    return dg.RunRequest(partition_key=name, asset_selection=[dg.AssetKey("release")])


def _schedule(lake: Lake, release: ReleaseConfig) -> dg.ScheduleDefinition:
    schedule = release.schedule
    assert schedule is not None
    if not is_valid_cron_string(schedule.cron):
        raise ConfigError(
            f"conf/releases/{release.name}.yaml: schedule.cron {schedule.cron!r} is no cron "
            "expression: give minute, hour, day, month and weekday, such as '0 3 * * 1'"
        )
    running = lake.project.profile.sensors.status == "running"

    @dg.schedule(
        cron_schedule=schedule.cron,
        name=f"release_{release.name.replace('-', '_')}",
        execution_timezone=schedule.timezone,
        target=dg.AssetSelection.assets("release"),
        default_status=(
            dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
        ),
        description=f"Publishes {release.name} when what it is made of is up to date.",
    )
    def tick(_: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        return due_release(lake, release.name)

    return tick
