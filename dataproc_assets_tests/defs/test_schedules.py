from datetime import UTC, datetime

import dagster as dg
import pytest
from pydantic import ValidationError

from dataproc_assets.config.yaml import ConfigError
from dataproc_assets.defs.schedules import due_release
from dataproc_assets.release.publish import read_train
from dataproc_assets_tests.defs.posts import KEPT
from dataproc_assets_tests.defs.test_release import RECIPE
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.release.crawl import release_config

MONDAY = datetime(2026, 11, 30, 3, tzinfo=UTC)


def scheduled(world: World, **schedule: str) -> None:
    """A release `weekly` in place of the published one."""
    asked = {"cron": "0 3 * * 1", **schedule}
    world.change("releases/demo.yaml", lambda conf: conf.update(name="weekly", schedule=asked))
    (world.conf / "releases/demo.yaml").rename(world.conf / "releases/weekly.yaml")


def only(world: World) -> dg.ScheduleDefinition:
    (schedule,) = world.definitions.get_repository_def().schedule_defs
    return schedule


def tick(world: World) -> tuple[list[dg.RunRequest], str | None]:
    """What is asked for, and why nothing is."""
    with dg.build_schedule_context(
        instance=world.instance,
        scheduled_execution_time=MONDAY,
        repository_def=world.definitions.get_repository_def(),
    ) as context:
        outcome = only(world).evaluate_tick(context)
    return list(outcome.run_requests or ()), outcome.skip_message


def test_a_release_is_published_by_its_schedule_and_then_left_alone(world: World):
    scheduled(world, timezone="Asia/Tokyo")
    schedule = only(world)
    assert (schedule.name, schedule.cron_schedule) == ("release_weekly", "0 3 * * 1")
    assert schedule.execution_timezone == "Asia/Tokyo"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    (asked,), _ = tick(world)
    assert asked.asset_selection == [dg.AssetKey("release")]
    assert world.make("release", partition=asked.partition_key).success
    assert set(read_train(world.lake.store, "weekly")["representative"]) == set(KEPT)
    requests, why = tick(world)
    assert not requests and "is published and never changes" in str(why)


def test_a_scheduled_release_waits_for_what_is_stale_or_failed_a_check(world: World):
    scheduled(world)
    world.lake.distrust("sanitized", RECIPE)
    waits = due_release(world.lake, "weekly")
    assert isinstance(waits, dg.SkipReason)
    assert (waits.skip_message or "").endswith(f"stale or failed a check: sanitized {RECIPE}")


def test_a_release_without_a_schedule_has_none(finished: World):
    assert not finished.definitions.schedules


def test_a_schedule_that_is_no_cron_is_refused_when_definitions_load(world: World):
    scheduled(world, cron="0 3 * * monday-ish")
    with pytest.raises(ConfigError, match=r"conf/releases/weekly\.yaml: schedule\.cron"):
        _ = world.definitions


def test_an_unknown_time_zone_is_refused():
    for name in ("Europe/Nowhere", "../etc/passwd"):
        with pytest.raises(ValidationError, match="no time zone"):
            release_config(schedule={"cron": "0 3 * * 1", "timezone": name})


def test_the_schedule_is_no_content(world: World):
    """A release made by hand is the one that its schedule would make."""
    world.change("releases/demo.yaml", lambda conf: conf.update(schedule={"cron": "0 3 * * 1"}))
    before = world.lake.state("release", "demo")
    assert world.make("release", partition="demo").success
    assert world.lake.state("release", "demo") == before
