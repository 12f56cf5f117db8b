from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from dataproc_assets.run import run_stale
from dataproc_assets_tests.defs.results import metadata
from dataproc_assets_tests.defs.sensors.follow import FOLDER, Follow, follow
from dataproc_assets_tests.defs.sensors.ticks import reason, request
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.sqs import make_events, moto_server, point_to

__all__ = ["follow"]  # a fixture


def test_from_an_event_to_the_units_each_version_comes_once(follow: Follow):
    """The sensor, the run it asks for, and what there is then to score."""
    cursor, scored, dropped = None, [], []
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(settle_seconds=0))
    (sensor,) = [one for one in follow.world.definitions.sensors if one.name == "pixiv_events"]
    for drops in ([(100, 100), (101, 101)], [(103, 103)], [], [(101, 7)], []):
        dropped += [(f"pixiv/{number}_p0", follow.drop(number, look)) for number, look in drops]
        with dg.build_sensor_context(
            instance=follow.world.instance, cursor=cursor, definitions=follow.world.definitions
        ) as context:
            tick = sensor.evaluate_tick(context)
        cursor = tick.cursor
        assert len(tick.run_requests) == bool(drops), tick.skip_message
        for asked in tick.run_requests:
            names = [key.to_user_string() for key in asked.asset_selection]
            assert follow.world.make(*names, partition=asked.partition_key).success
            scored += follow.pending()
            follow.world.score("pixiv")
    assert sorted(scored) == sorted(dropped) and len(set(scored)) == 4


def test_the_intake_lists_nothing_once_everything_was_listed(follow: Follow, monkeypatch):
    follow.drop(100)
    request(follow.tick())
    follow.intake()

    def none(*_):
        raise AssertionError("listed")

    monkeypatch.setattr("dataproc_assets.storage.crawls.crawl_listing", none)
    version = follow.drop(101)
    request(follow.tick())
    told = metadata(follow.intake(), "inventory")
    assert (told["added"], told["removed"]) == (1, 0)
    assert follow.versions()["pixiv/101_p0"] == version
    assert reason(follow.tick()).endswith("files of events, all known")


def test_a_quiet_tick_reads_no_event(follow: Follow, monkeypatch):
    follow.drop(100)
    follow.tick()
    follow.intake()
    follow.drop(101)
    follow.tick()
    reads = []
    monkeypatch.setattr("dataproc_assets.storage.followed.read_events", reads.append)
    assert "asked for already" in reason(follow.tick())
    assert not reads


def test_events_are_waited_for_until_writing_has_paused(follow: Follow):
    follow.drop(100)
    now = datetime.now(UTC)
    seconds = follow.lake.project.sources["pixiv"].settle_seconds
    early = follow.tick(now)
    assert reason(early) == f"pixiv: written to less than {seconds} s ago"
    assert follow.events.waiting() == 0  # they are in the lake
    request(follow.tick(now + timedelta(seconds=seconds)))


def test_an_event_of_the_far_future_is_not_waited_for(follow: Follow):
    follow.drop(100)
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2199-01-01T00:00:00Z",
        "s3": {
            "bucket": {"name": follow.events.bucket},
            "object": {"key": f"{FOLDER}/7_p0.png", "size": 1, "eTag": "e"},
        },
    }
    follow.events.send({"Records": [record]})
    assert "written to" in reason(follow.tick(datetime.now(UTC)))
    request(follow.tick())


def test_junk_is_said_and_blocks_nothing(follow: Follow):
    follow.events.send("hello")
    follow.drop(100)
    request(follow.tick())
    (said,) = follow.warned
    assert said.startswith("1 messages are of no source, or cannot be read: see ")
    assert said.endswith("event_rejects/*.jsonl")


def test_a_queue_that_is_away_fails_the_tick_and_the_next_goes_on(tmp_path, monkeypatch):
    with moto_server() as url:
        point_to(monkeypatch, url)
        follow = Follow(World.create(tmp_path / "world"), make_events(url, "crawls-away"))
        first = request(follow.tick())
    with pytest.raises(ConnectionError) as raised:
        follow.tick()
    assert str(raised.value).startswith(f"{follow.events.url}: cannot be read: ")
    assert "start it, or correct AWS_ENDPOINT_URL_SQS" in str(raised.value)
    (sensor,) = [one for one in follow.world.definitions.sensors if one.name == "pixiv_events"]
    with (
        dg.build_sensor_context(
            follow.world.instance, definitions=follow.world.definitions
        ) as tick,
        pytest.raises(ConnectionError) as failed,
    ):
        sensor.evaluate_tick(tick)
    assert str(failed.value) == str(raised.value)
    with moto_server(port=int(url.rpartition(":")[2])):
        assert "asked for already" in reason(follow.tick())
        follow.drop(100)
        assert request(follow.tick()).run_key != first.run_key


def test_a_run_by_hand_takes_the_events_too(follow: Follow):
    follow.drop(100)
    follow.world.change("sources/danbooru.yaml", lambda conf: conf["crawl"].update(prefix="none"))
    said: list[str] = []

    def run() -> int:
        world = follow.world
        return run_stale(
            world.definitions, world.lake, world.instance, until="todo", say=said.append
        )

    run()
    assert run() == 0
    version = follow.drop(100, 7)
    assert run() == 1
    assert follow.versions() == {"pixiv/100_p0": version}
