from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from dataproc_assets.defs.sensors import crawl_changes, pending_passes, unencoded_releases
from dataproc_assets.storage.crawl import list_objects
from dataproc_assets_tests.defs.test_release import LATENTS
from dataproc_assets_tests.defs.world import World, pixiv_record

INTAKE = ("inventory", "records", "todo")


def newest(world: World) -> datetime:
    """When the last file of pixiv's crawl was written."""
    return list_objects(world.lake.bucket, "dataset-pixiv")["modified"].max()


def later(world: World, seconds: float = 3600) -> datetime:
    return newest(world) + timedelta(seconds=seconds)


def request(outcome) -> dg.RunRequest:
    """The one request of a sensor that asks for a run."""
    assert not isinstance(outcome, dg.SkipReason), outcome
    requests = outcome.run_requests if isinstance(outcome, dg.SensorResult) else outcome
    (only,) = requests
    return only


def reason(outcome) -> str:
    assert isinstance(outcome, dg.SkipReason)
    return outcome.skip_message


def test_a_known_crawl_is_left_alone(finished: World):
    outcome = crawl_changes(finished.lake, "pixiv", None, later(finished))
    assert reason(outcome) == "pixiv: 9 objects, all known"


def test_a_settled_change_asks_for_the_intake_once(crawled: World):
    now = later(crawled)
    outcome = crawl_changes(crawled.lake, "pixiv", None, now)
    asked = request(outcome)
    assert asked.partition_key == "pixiv"
    assert [key.to_user_string() for key in asked.asset_selection] == list(INTAKE)
    assert asked.run_key == f"pixiv-{outcome.cursor}"
    assert asked.tags["dataproc/source"] == "pixiv"

    again = crawl_changes(crawled.lake, "pixiv", None, now)  # its cursor was lost
    assert request(again).run_key == asked.run_key
    kept = crawl_changes(crawled.lake, "pixiv", outcome.cursor, now)
    assert "asked for already" in reason(kept)

    crawled.make("inventory", partition="pixiv")
    done = crawl_changes(crawled.lake, "pixiv", outcome.cursor, now)
    assert reason(done).endswith("all known")


def test_another_change_is_another_request(crawled: World):
    first = crawl_changes(crawled.lake, "pixiv", None, later(crawled))
    crawled.add_pixiv(105, pixiv_record(105))
    second = crawl_changes(crawled.lake, "pixiv", first.cursor, later(crawled))
    assert request(second).run_key != request(first).run_key


def test_a_crawl_of_another_source_is_no_change(crawled: World):
    crawled.make("inventory", partition="pixiv")
    crawled.put("unidataset-danbooru/0001.tar", b"")
    assert reason(crawl_changes(crawled.lake, "pixiv", None, later(crawled))).endswith("known")


def test_a_crawl_that_is_still_written_is_waited_for(crawled: World):
    seconds = crawled.lake.project.sources["pixiv"].settle_seconds
    early = crawl_changes(crawled.lake, "pixiv", None, later(crawled, seconds - 1))
    assert reason(early) == f"pixiv: written to less than {seconds} s ago"
    request(crawl_changes(crawled.lake, "pixiv", None, later(crawled, seconds)))


def test_an_empty_bucket_is_no_change(tmp_path):
    world = World.create(tmp_path)
    outcome = crawl_changes(world.lake, "pixiv", None, datetime(2026, 1, 1, tzinfo=UTC))
    assert reason(outcome) == f"pixiv: no object below {world.bucket}/dataset-pixiv"


def test_a_bucket_that_is_away_is_an_error(crawled: World):
    crawled.make("inventory", partition="pixiv")
    now = later(crawled)
    crawled.bucket.rename(crawled.home / "elsewhere")
    with pytest.raises(ConnectionError, match=str(crawled.bucket)):
        crawl_changes(crawled.lake, "pixiv", None, now)


def test_nothing_pending_starts_no_pass(finished: World):
    assert reason(pending_passes(finished.lake)) == "all that is eligible is scored"


def test_before_any_intake_there_is_nothing_to_pass(crawled: World):
    assert reason(pending_passes(crawled.lake)) == "all that is eligible is scored"


def test_what_is_pending_is_asked_for_by_source_with_the_same_key_each_time(crawled: World):
    for source in ("pixiv", "danbooru"):
        crawled.make(*INTAKE, partition=source)
    first, second = pending_passes(crawled.lake), pending_passes(crawled.lake)
    assert [asked.partition_key for asked in first] == ["danbooru", "pixiv"]
    assert [asked.run_key for asked in first] == [asked.run_key for asked in second]
    metrics = sorted(key.to_user_string() for key in first[0].asset_selection)
    assert metrics == sorted(crawled.lake.project.pass_metrics)

    crawled.add_pixiv(105, pixiv_record(105))
    crawled.make(*INTAKE, partition="pixiv")
    third = pending_passes(crawled.lake)
    assert third[0].run_key == first[0].run_key and third[1].run_key != first[1].run_key


def test_a_pass_over_the_budget_waits_for_a_person(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    each = sum(crawled.lake.seconds_per_image().values())
    budget = {"pass_seconds": 3 * each - 0.01}
    crawled.change("profiles/local.yaml", lambda conf: conf["budget"].update(budget))
    said = reason(pending_passes(crawled.lake))
    assert said == f"pixiv: about {3 * each:.0f} s is over the budget; start it by hand"
    exactly = {"pass_seconds": 3 * each + 0.01}
    crawled.change("profiles/local.yaml", lambda conf: conf["budget"].update(exactly))
    assert request(pending_passes(crawled.lake)).partition_key == "pixiv"


def test_a_release_without_latents_is_encoded_once_it_is_published(world: World):
    assert reason(unencoded_releases(world.lake)) == "every published release has its latents"
    world.change("releases/demo.yaml", lambda conf: conf.update(latents=LATENTS))
    asked = request(unencoded_releases(world.lake))
    assert asked.partition_key == "demo" and asked.run_key.startswith("demo-")
    assert request(unencoded_releases(world.lake)).run_key == asked.run_key
    world.lake.store.put("latents/demo/manifest.json", b"{}")
    assert "has its latents" in reason(unencoded_releases(world.lake))
    world.lake.store.delete("latents/demo/manifest.json")
    world.lake.store.delete("releases/demo/manifest.json")
    assert "has its latents" in reason(unencoded_releases(world.lake))


def test_the_sensors_run_under_dagster(crawled: World):
    sensors = {sensor.name: sensor for sensor in crawled.definitions.sensors}
    with dg.build_sensor_context(
        instance=crawled.instance, definitions=crawled.definitions
    ) as context:
        assert "scored" in reason(sensors["pending_passes"](context))
        tick = sensors["unencoded_releases"](context)
        assert "has its latents" in reason(tick)
        fresh = sensors["pixiv_crawl"](context)  # written a moment ago
        assert "written to less than" in reason(fresh)


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
