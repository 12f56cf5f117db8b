import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.sqs import SETTINGS

INTAKE = ("inventory", "records", "todo")


def test_the_sensors_run_under_dagster(crawled: World):
    said = {
        "pending_passes": "scored",
        "unencoded_releases": "has its latents",
        "pixiv_crawl": "written to less than",  # a moment ago
    }
    for sensor in crawled.definitions.sensors:
        if sensor.name in said:
            with dg.build_sensor_context(
                instance=crawled.instance, definitions=crawled.definitions
            ) as context:
                tick = sensor.evaluate_tick(context)
            assert said.pop(sensor.name) in tick.skip_message and tick.cursor
    assert not said


def test_a_crawl_is_looked_at_in_the_way_that_its_profile_names(crawled: World):
    def edit(profile):
        profile["crawl"] |= {
            "root": "s3://crawls",
            "queues": {"danbooru": {**SETTINGS, "url": URL}},
        }
        profile["sensors"] |= {"interval_seconds": 20, "listing_interval_seconds": 70}

    crawled.change("profiles/local.yaml", edit)
    sensors = {sensor.name: sensor for sensor in crawled.definitions.sensors}
    every = {name: sensor.minimum_interval_seconds for name, sensor in sensors.items()}
    assert every == {
        "pixiv_crawl": 70,
        "danbooru_events": 20,
        "pending_passes": 20,
        "unencoded_releases": 20,
        "automation": 20,
    }


URL = "http://127.0.0.1:9/123456789012/crawls"


# Automation: what remakes itself.


@pytest.fixture
def materialized(world: World) -> World:
    """A world of which Dagster knows every asset, with its data version and its checks."""
    graph = world.definitions.resolve_asset_graph()
    for asset in graph.get_all_asset_keys():
        name = asset.to_user_string()
        for key in _partitions(world, name):
            _report(world, name, key, world.lake.state(name, key))
            for check in graph.get_check_keys_for_assets({asset}):
                _report_passed(world, check, key)
    return world


def test_when_all_is_made_nothing_is_asked_for(materialized: World):
    assert _ticks(materialized)() == set()


def test_a_changed_input_remakes_what_reads_it_and_an_equal_one_nothing(materialized: World):
    tick = _ticks(materialized)
    assert tick() == set()
    _report(materialized, "todo", "pixiv", "changed")
    assert tick() == {("metrics_merged", "pixiv"), ("merged", "pixiv")}
    same = materialized.lake.state("metrics_merged", "pixiv")
    _report(materialized, "metrics_merged", "pixiv", same)
    _report(materialized, "merged", "pixiv", materialized.lake.state("merged", "pixiv"))
    assert tick() == set()
    _report(materialized, "todo", "pixiv", "changed")
    assert tick() == set()


def test_new_parts_remake_what_reads_them(materialized: World):
    tick = _ticks(materialized)
    tick()
    _report(materialized, "clip", "danbooru", "more parts")
    assert tick() == {
        ("metrics_merged", "danbooru"),
        ("dedup_intra", "danbooru"),
        ("dedup_cross", None),
    }


def test_a_changed_rule_remakes_its_stage_alone(materialized: World):
    tick = _ticks(materialized)
    tick()
    materialized.change("curation.yaml", lambda conf: conf.update(prefilter=[]))
    assert tick() == {("prefiltered", "danbooru"), ("prefiltered", "pixiv")}


def test_what_blocking_checks_have_not_passed_yet_is_not_read(materialized: World):
    tick = _ticks(materialized)
    tick()
    _report(materialized, "sanitized", "animagine4", "changed")  # its checks are still to run
    assert tick() == set()


def test_one_sources_intake_starts_nothing_across_sources(crawled: World):
    tick = _ticks(crawled)
    assert tick() == set()
    crawled.make(*INTAKE, partition="pixiv")
    made = set()
    while wanted := tick():
        for asset, key in sorted(wanted, key=lambda item: list(crawled.lake.stages).index(item[0])):
            assert crawled.make(asset, partition=key).success, asset
        made |= wanted
    names = ("metrics_merged", "merged", "prefiltered", "augmented", "dedup_intra")
    assert made == {(name, "pixiv") for name in names}


def _ticks(world: World):
    """Evaluates the conditions as the daemon does, one tick a call: what is asked for."""
    cursor = None

    def tick() -> set[tuple[str, str | None]]:
        nonlocal cursor
        result = dg.evaluate_automation_conditions(world.definitions, world.instance, cursor=cursor)
        cursor = result.cursor
        return {
            (found.asset_key.to_user_string(), found.partition_key)
            for one in result.results
            for found in one.true_subset.expensively_compute_asset_partitions()
        }

    return tick


def _report(world: World, asset: str, partition: str | None, version: str) -> None:
    tags = {"dagster/data_version": version}
    event = dg.AssetMaterialization(asset, partition=partition, tags=tags)
    world.instance.report_runless_asset_event(event)


def _report_passed(world: World, check: dg.AssetCheckKey, partition: str | None) -> None:
    """That a check passed on what was last reported."""
    wanted = dg.AssetRecordsFilter(check.asset_key, [partition] if partition else None)
    (record,) = world.instance.fetch_materializations(wanted, limit=1).records
    target = AssetCheckEvaluationTargetMaterializationData(
        storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
    )
    event = dg.AssetCheckEvaluation(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=True,
        metadata={},
        partition=partition,
        target_materialization_data=target,
    )
    world.instance.report_runless_asset_event(event)


def _partitions(world: World, asset: str) -> list[str | None]:
    graph = world.definitions.resolve_asset_graph()
    parts = graph.get(dg.AssetKey(asset)).partitions_def
    return list(parts.get_partition_keys()) if parts else [None]
