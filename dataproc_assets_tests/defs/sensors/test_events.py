import itertools
import json
import pkgutil
import random
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataproc_assets.defs.sensors.crawl import event_changes
from dataproc_assets.run import run_stale
from dataproc_assets.storage import layout
from dataproc_assets.storage.events import event_files, put_events, read_events
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import read_units, unit_rows
from dataproc_assets_tests.defs.sensors.ticks import reason, request
from dataproc_assets_tests.defs.world import World, cause, metadata, picture, pixiv_record
from dataproc_assets_tests.sqs import Events, make_events, moto_server, point_to
from dataproc_assets_tests.storage.lakes import project_in

INTAKE = ("inventory", "records", "todo")
FOLDER = "dataset-pixiv/resized_1"
SETTLED = timedelta(minutes=2)


class Follow:
    """A world whose crawl of pixiv lies on S3 and is followed by events."""

    def __init__(self, world: World, events: Events, **queue: object) -> None:
        self.world, self.events, self.cursor = world, events, None
        self.warned: list[str] = []

        def edit(profile):
            named = {"pixiv": events.config(**queue).model_dump(mode="json")}
            profile["crawl"] |= {"root": f"s3://{events.bucket}", "queues": named}

        world.change("profiles/local.yaml", edit)

    @property
    def lake(self) -> Lake:
        return self.world.lake

    def drop(self, number: int, content: int | None = None) -> str:
        """A work with its picture and its record; returns the picture's version."""
        record = json.dumps(pixiv_record(number)).encode()
        self.events.put(f"{FOLDER}/{number}_p0.json", record)
        return self.events.put(f"{FOLDER}/{number}_p0.png", picture(content or number))

    def tick(self, now: datetime | None = None, keep: bool = True) -> dg.SensorResult:
        """A tick, with the cursor of the one before it; a crash does not keep its own."""
        now = now or datetime.now(UTC) + SETTLED
        outcome = event_changes(self.lake, "pixiv", self.cursor, now, warn=self.warned.append)
        self.cursor = outcome.cursor if keep else self.cursor
        return outcome

    def intake(self) -> dg.ExecuteInProcessResult:
        result = self.world.make(*INTAKE, partition="pixiv")
        assert result.success, cause(result)
        return result

    def versions(self) -> dict[str, str]:
        """The images of the inventory that are there."""
        rows = self.lake.read("inventory", "pixiv").collect()
        return dict(rows.filter(~rows["removed"]).select("image_key", "version").iter_rows())

    def pending(self) -> list[tuple[str, str]]:
        """What the units ask for, by key and version."""
        rows = unit_rows(read_units(self.lake.store, layout.todo_path("pixiv")))
        return [] if rows is None else list(rows.select("image_key", "version").iter_rows())


@pytest.fixture
def follow(tmp_path, events) -> Follow:
    return Follow(World.create(tmp_path / "world"), events)


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


def test_a_removal_removes_nothing_until_all_is_listed(follow: Follow):
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=1.0))
    follow.drop(100)
    follow.drop(101)
    request(follow.tick())
    follow.intake()
    follow.events.s3.delete_object(Bucket=follow.events.bucket, Key=f"{FOLDER}/101_p0.png")
    assert "all known" in reason(follow.tick())
    follow.drop(103)
    request(follow.tick())
    follow.intake()
    assert sorted(follow.versions()) == [f"pixiv/{n}_p0" for n in (100, 101, 103)]

    in_an_hour = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    first = request(follow.tick(in_an_hour, keep=False))
    assert request(follow.tick(in_an_hour)).run_key == first.run_key
    assert metadata(follow.intake(), "inventory")["removed"] == 1
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/103_p0"]
    assert "all known" in reason(follow.tick(in_an_hour))


def test_a_removal_that_was_held_back_is_applied_once_the_limit_is_raised(follow: Follow):
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=0.0))
    follow.drop(100)
    follow.drop(101)
    follow.tick()
    follow.intake()
    follow.events.s3.delete_object(Bucket=follow.events.bucket, Key=f"{FOLDER}/101_p0.png")
    request(follow.tick(datetime.now(UTC) + timedelta(hours=25)))
    assert metadata(follow.intake(), "inventory")["removals_held_back"]
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=1.0))
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0"]


def test_a_lost_file_of_events_removes_nothing(follow: Follow):
    """What is known of an image may go before a complete listing has seen it: it stays."""
    follow.world.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=1.0))
    follow.drop(100)
    follow.tick()
    follow.intake()
    follow.drop(101)
    follow.tick()
    follow.intake()
    for path in follow.lake.store.list("events")["path"]:
        follow.lake.store.delete(path)
    request(follow.tick())
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/101_p0"]
    request(follow.tick(datetime.now(UTC) + timedelta(hours=25)))
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/101_p0"]


def test_what_no_event_told_is_found_by_the_next_complete_listing(follow: Follow):
    follow.drop(100)
    follow.tick()
    follow.intake()
    follow.drop(101)
    follow.events.sqs.purge_queue(QueueUrl=follow.events.url)
    assert "all known" in reason(follow.tick())
    tomorrow = datetime.now(UTC) + timedelta(hours=24, minutes=1)
    request(follow.tick(tomorrow))
    assert metadata(follow.intake(), "inventory")["added"] == 1
    assert "all known" in reason(follow.tick())


def test_a_source_that_is_listed_for_a_while_is_listed_when_it_is_followed_again(follow: Follow):
    follow.drop(100)
    follow.tick()
    follow.intake()
    assert "all known" in reason(follow.tick())
    queues = follow.lake.project.profile.crawl.model_dump(mode="json")["queues"]
    follow.world.change("profiles/local.yaml", lambda conf: conf["crawl"].pop("queues"))
    follow.drop(101)
    follow.intake()
    assert len(follow.versions()) == 2
    follow.events.sqs.purge_queue(QueueUrl=follow.events.url)
    follow.world.change("profiles/local.yaml", lambda conf: conf["crawl"].update(queues=queues))
    request(follow.tick())
    follow.intake()
    assert len(follow.versions()) == 2


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


STEPS = {
    "keep": "dataproc_assets.storage.events.put_events",
    "delete": "dataproc_assets.storage.queue.Queue.delete",
    "due": "dataproc_assets.storage.followed.Followed.ask_for_listing",
    "cursor": "",
    "base": "dataproc_assets.storage.followed.write_table",
    "drop": "dataproc_assets.storage.followed.drop_event_files",
    "inventory": "dataproc_assets.storage.lake.write_table",
}


def dies_after(work):
    """The work, and then a crash."""

    def die(*args, **kwargs):
        work(*args, **kwargs)
        raise SystemError("killed")

    return die


@pytest.mark.parametrize("step", list(STEPS))
def test_a_crash_after_any_step_asks_for_nothing_twice_and_loses_nothing(
    moto, tmp_path, monkeypatch, step
):
    """What dies is a tick, or the intake that it asked for; then both are repeated."""
    point_to(monkeypatch, moto)
    events = make_events(moto, f"crawls-{step}", visibility_seconds=1)
    follow = Follow(World.create(tmp_path / "world"), events, keep_events_days=0)
    follow.drop(100)
    request(follow.tick())
    follow.intake()
    follow.drop(101)
    now = datetime.now(UTC) + timedelta(hours=25)  # a complete listing is due

    in_run = step in ("base", "drop", "inventory")
    keys = [request(follow.tick(now)).run_key] if in_run else []
    with monkeypatch.context() as patch:
        if step == "cursor":
            keys.append(request(follow.tick(now, keep=False)).run_key)
        else:
            patch.setattr(STEPS[step], dies_after(pkgutil.resolve_name(STEPS[step])))
            if in_run:
                result = follow.world.make(*INTAKE, partition="pixiv")
                assert "killed" in cause(result)[1]
            else:
                with pytest.raises(SystemError):
                    follow.tick(now)
    while events.waiting():
        outcome = follow.tick(now)
        keys += [one.run_key for one in outcome.run_requests or ()]
    outcome = follow.tick() if in_run else follow.tick(now)
    keys += [one.run_key for one in outcome.run_requests or ()]
    assert len(set(keys)) == (2 if in_run else 1)  # a run that was killed is asked for anew
    follow.intake()
    assert sorted(follow.versions()) == ["pixiv/100_p0", "pixiv/101_p0"]
    assert sorted(key for key, _ in follow.pending()) == ["pixiv/100_p0", "pixiv/101_p0"]
    assert "all known" in reason(follow.tick())


def light_intake(lake: Lake) -> None:
    """The inventory alone, as far as a sensor sees it: paths and versions."""
    lake.crawls.list_if_due("pixiv")
    inputs, found = lake.inputs("inventory", "pixiv"), lake.crawls.now("pixiv").frame
    rows = found.select(pl.col("path").alias("image_key"), "version")
    lake.write("inventory", "pixiv", rows, inputs=inputs)


DROPS = st.tuples(st.just("drop"), st.sampled_from("12"), st.sampled_from([b"a", b"b"]))
OTHER = [st.just((name,)) for name in ("tick", "crash", "run", "again")]
NUMBERS = itertools.count()


@pytest.mark.slow
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(DROPS, DROPS, *OTHER), max_size=12), seed=st.integers(0))
def test_each_drop_is_asked_for_once_in_any_split_order_and_repetition(
    moto, monkeypatch, steps, seed
):
    point_to(monkeypatch, moto)
    draw, events = random.Random(seed), make_events(moto, f"crawls-any-{next(NUMBERS)}")
    asked: Counter[str | None] = Counter()
    batches, cursor, dropped = 0, None, True  # at first a complete listing is due
    with tempfile.TemporaryDirectory() as folder:
        project = project_in(folder, f"s3://{events.bucket}")
        crawl = project.profile.crawl.model_copy(update={"queues": {"pixiv": events.config()}})
        profile = project.profile.model_copy(update={"crawl": crawl})
        lake, waiting = Lake(replace(project, profile=profile)), 0

        def tick(keep: bool = True) -> int:
            nonlocal cursor, waiting
            now = datetime.now(UTC) + SETTLED
            outcome = event_changes(lake, "pixiv", cursor, now, warn=pytest.fail)
            new = [one.run_key for one in outcome.run_requests or () if not asked[one.run_key]]
            asked.update(new)  # Dagster starts one run a key
            waiting += len(new)
            cursor = outcome.cursor if keep else cursor
            return len(new)

        for kind, *given_ in steps:
            if kind == "drop":
                name, data = given_
                events.put(f"{FOLDER}/{name}_p0.png", data)
                batches, dropped = batches + (not dropped), True
            elif kind == "again":
                files = event_files(lake.store, "pixiv")
                known = read_events(lake.store, "pixiv", files)
                if known.height:
                    some = draw.sample(range(known.height), draw.randint(1, known.height))
                    put_events(lake.store, "pixiv", known[some])
            elif kind == "run" and waiting:
                light_intake(lake)
                waiting -= 1
            elif kind != "run":
                assert tick(keep=kind == "tick") <= dropped
                dropped = False
        tick()
        while waiting:
            light_intake(lake)
            waiting -= 1
        present = lake.bucket.list("dataset-pixiv").select("path", "version").rows()
        found = lake.read("inventory", "pixiv").select("image_key", "version").collect()
        assert found.rows() == present
        assert len(asked) <= batches + 1
        assert tick() == tick(keep=False) == 0
