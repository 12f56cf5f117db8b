"""What remakes itself: what is stale by the storage, once, and after what it reads."""

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from dataproc_assets_tests.defs.world import World

INTAKE = ("inventory", "records", "todo")


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


def test_what_is_stale_already_at_the_first_tick_is_asked_for(materialized: World):
    materialized.lake.distrust("images", None)
    assert _ticks(materialized)() == {("images", None)}


def test_a_changed_input_remakes_what_reads_it_and_an_equal_one_nothing(materialized: World):
    tick = _ticks(materialized)
    materialized.lake.distrust("merged", "pixiv")
    assert ("merged", "pixiv") in tick()
    assert materialized.make("merged", partition="pixiv").success
    assert tick() == set()


def test_what_one_run_can_make_is_asked_for_at_once_and_the_rest_waits_for_it(
    materialized: World,
):
    tick = _ticks(materialized)
    materialized.change("curation.yaml", lambda conf: conf.update(prefilter=[]))
    sources = ("danbooru", "pixiv")
    names = ("prefiltered", "augmented", "dedup_intra")
    assert tick() == {(name, key) for name in names for key in sources}


def test_a_table_made_while_what_it_reads_changes_is_made_again(materialized: World):
    lake, tick = materialized.lake, _ticks(materialized)
    lake.distrust("dedup_intra", "pixiv")
    lake.distrust("dedup_cross", None)
    assert tick() == {("dedup_intra", "pixiv")}
    assert materialized.make("dedup_cross").success  # of the old edges
    edges = lake.read("dedup_intra", "pixiv").collect()
    other = lake.read("dedup_cross").select(edges.columns).head(1).collect()
    assert edges.height != 1 == other.height
    inputs = lake.inputs("dedup_intra", "pixiv")
    lake.write("dedup_intra", "pixiv", other, key="a", inputs=inputs)
    _report(materialized, "dedup_intra", "pixiv", lake.state("dedup_intra", "pixiv"))
    assert ("dedup_cross", None) in tick()


def test_what_fails_is_asked_for_once_for_the_same_inputs(materialized: World):
    lake, tick = materialized.lake, _ticks(materialized)
    lake.distrust("dedup_intra", "pixiv")
    assert tick() == {("dedup_intra", "pixiv")}
    assert tick() == set()  # nor what reads it
    other = lake.read("augmented", "pixiv").collect().clear()
    lake.write("augmented", "pixiv", other, inputs=lake.inputs("augmented", "pixiv"))
    assert tick() == {("dedup_intra", "pixiv")}


def test_what_blocking_checks_have_not_passed_yet_is_not_read(materialized: World):
    tick = _ticks(materialized)
    lake = materialized.lake
    _report(materialized, "merged", "pixiv", lake.state("merged", "pixiv"))
    lake.distrust("prefiltered", "pixiv")
    assert tick() == set()
    assert materialized.make("merged", partition="pixiv").success
    assert ("prefiltered", "pixiv") in tick()


def test_a_refused_recipe_is_asked_for_once_and_holds_back_no_picture(materialized: World):
    tick, lake = _ticks(materialized), materialized.lake
    lake.distrust("sanitized", "animagine4")  # as a failed check does
    lake.distrust("gallery", None)
    assert tick() == {("sanitized", "animagine4"), ("gallery", None)}
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
