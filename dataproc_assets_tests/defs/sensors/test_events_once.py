"""Each drop is asked for once, whatever dies, comes twice or in another order."""

import itertools
import pkgutil
import random
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataproc_assets.defs.sensors.crawl import event_changes
from dataproc_assets.storage.events import event_files, put_events, read_events
from dataproc_assets.storage.lake import Lake
from dataproc_assets_tests.defs.results import cause
from dataproc_assets_tests.defs.sensors.follow import FOLDER, INTAKE, SETTLED, Follow
from dataproc_assets_tests.defs.sensors.ticks import reason, request
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.sqs import make_events, point_to
from dataproc_assets_tests.storage.lakes import project_in

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
