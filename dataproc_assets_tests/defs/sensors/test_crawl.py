import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.defs.sensors.crawl import crawl_changes
from dataproc_assets.storage.lake import Lake
from dataproc_assets_tests.defs.posts import pixiv_record
from dataproc_assets_tests.defs.sensors.ticks import later, reason, request
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.s3 import s3_server
from dataproc_assets_tests.storage.lakes import project_in

INTAKE = ("inventory", "records", "todo")
PICTURE = "dataset-pixiv/resized_1/103_p0.png"
NEXT_YEAR = datetime(2099, 1, 1, tzinfo=UTC)


def test_a_known_crawl_is_left_alone(finished: World):
    outcome = crawl_changes(finished.lake, "pixiv", None, later(finished))
    assert reason(outcome) == "pixiv: 9 objects, all known"


def test_a_settled_change_asks_for_the_intake_once(crawled: World):
    now = later(crawled)
    outcome = crawl_changes(crawled.lake, "pixiv", None, now)
    asked = request(outcome)
    assert asked.partition_key == "pixiv"
    assert [key.to_user_string() for key in asked.asset_selection] == list(INTAKE)
    assert asked.run_key and asked.run_key.startswith("pixiv-")
    assert asked.tags["dataproc/source"] == "pixiv"

    again = crawl_changes(crawled.lake, "pixiv", None, now)  # its cursor was not kept
    assert request(again).run_key == asked.run_key
    kept = crawl_changes(crawled.lake, "pixiv", outcome.cursor, now)
    assert reason(kept) == "pixiv: the intake of this change was asked for already"
    failed = crawl_changes(crawled.lake, "pixiv", outcome.cursor, now, lambda key: f"run of {key}")
    assert f"failed: look at run run of {asked.run_key}" in reason(failed)

    crawled.make("inventory", partition="pixiv")
    done = crawl_changes(crawled.lake, "pixiv", outcome.cursor, now)
    assert reason(done).endswith("all known")


def test_another_change_is_another_request(crawled: World):
    first = crawl_changes(crawled.lake, "pixiv", None, later(crawled))
    crawled.add_pixiv(105, pixiv_record(105))
    second = crawl_changes(crawled.lake, "pixiv", first.cursor, later(crawled))
    assert request(second).run_key != request(first).run_key


def test_a_state_that_comes_back_is_asked_for_again(crawled: World):
    first = crawl_changes(crawled.lake, "pixiv", None, later(crawled))
    extra = crawled.bucket / "dataset-pixiv/resized_1/notes.txt"
    extra.write_bytes(b"x")
    second = crawl_changes(crawled.lake, "pixiv", first.cursor, later(crawled))
    crawled.make("inventory", partition="pixiv")
    extra.unlink()
    third = crawl_changes(crawled.lake, "pixiv", second.cursor, later(crawled))
    assert len({request(tick).run_key for tick in (first, second, third)}) == 3


@pytest.mark.parametrize("cursor", ["", "3f2a" * 16, "{", '{"version": 0}', "null", "[1]"])
def test_a_cursor_that_cannot_be_read_asks_at_most_once_more(crawled: World, cursor):
    asked = request(crawl_changes(crawled.lake, "pixiv", cursor, later(crawled)))
    assert (
        asked.run_key == request(crawl_changes(crawled.lake, "pixiv", None, later(crawled))).run_key
    )


def test_a_crawl_of_another_source_is_no_change(crawled: World):
    crawled.make("inventory", partition="pixiv")
    crawled.put("unidataset-danbooru/0001.tar", b"")
    assert reason(crawl_changes(crawled.lake, "pixiv", None, later(crawled))).endswith("known")


def test_a_crawl_that_is_still_written_is_waited_for(crawled: World):
    seconds = crawled.lake.project.sources["pixiv"].settle_seconds
    early = crawl_changes(crawled.lake, "pixiv", None, later(crawled, seconds - 1))
    assert reason(early) == f"pixiv: written to less than {seconds} s ago"
    request(crawl_changes(crawled.lake, "pixiv", early.cursor, later(crawled, seconds)))


def test_an_empty_bucket_is_no_change(tmp_path):
    world = World.create(tmp_path)
    outcome = crawl_changes(world.lake, "pixiv", None, NEXT_YEAR)
    assert reason(outcome) == f"pixiv: no object below {world.bucket}/dataset-pixiv"


def test_a_crawl_that_was_emptied_is_a_change(crawled: World):
    crawled.make("inventory", partition="pixiv")
    for path in (crawled.bucket / "dataset-pixiv" / "resized_1").iterdir():
        path.unlink()
    request(crawl_changes(crawled.lake, "pixiv", None, NEXT_YEAR))


def test_a_bucket_that_is_away_is_an_error(crawled: World):
    crawled.make("inventory", partition="pixiv")
    now = later(crawled)
    crawled.bucket.rename(crawled.home / "elsewhere")
    with pytest.raises(ConnectionError, match=str(crawled.bucket)):
        crawl_changes(crawled.lake, "pixiv", None, now)


@pytest.mark.slow
def test_a_server_that_stops_fails_the_tick_and_the_next_goes_on(tmp_path, monkeypatch):
    with s3_server(tmp_path / "s3") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        lake = Lake(project_in(str(tmp_path / "lake"), "s3://test/stopped"))
        lake.bucket.put("dataset-pixiv/resized_1/1_p0.png", b"one")
        first = crawl_changes(lake, "pixiv", None, NEXT_YEAR)
        request(first)
    with pytest.raises(ConnectionError) as raised:
        crawl_changes(lake, "pixiv", first.cursor, NEXT_YEAR)
    assert str(raised.value).startswith("s3://test/stopped/dataset-pixiv: cannot be listed: ")
    assert "no server answers there: start it" in str(raised.value)
    port = int(variables["AWS_ENDPOINT_URL_S3"].rpartition(":")[2])
    with s3_server(tmp_path / "s3", port):
        assert "asked for already" in reason(crawl_changes(lake, "pixiv", first.cursor, NEXT_YEAR))
        lake.bucket.put("dataset-pixiv/resized_1/2_p0.png", b"two")
        again = request(crawl_changes(lake, "pixiv", first.cursor, NEXT_YEAR))
        assert again.run_key != request(first).run_key


@pytest.mark.parametrize(
    ("bucket", "variable", "step"),
    [
        ("nowhere", None, "make the bucket, or correct its name"),
        ("test", "AWS_SECRET_ACCESS_KEY", "set AWS_SECRET_ACCESS_KEY again"),
        ("test", "AWS_ACCESS_KEY_ID", "set AWS_ACCESS_KEY_ID again"),
    ],
)
def test_a_refusal_says_what_to_do(s3, tmp_path, monkeypatch, bucket, variable, step):
    if variable:
        monkeypatch.setenv(variable, "wrong")
    url = f"s3://{bucket}/refused-{variable}"
    lake = Lake(project_in(str(tmp_path), url))
    with pytest.raises(ConnectionError) as raised:
        crawl_changes(lake, "pixiv", None, NEXT_YEAR)
    assert url in str(raised.value) and step in str(raised.value)
    assert "testsecret" not in str(raised.value)


class Daemon:
    """Dagster's part: a run a run key, a cursor that a crash may lose, runs in their order."""

    def __init__(self, folder: Path) -> None:
        self.crawl = folder / "crawl"
        self.lake = Lake(project_in(str(folder / "lake"), self.crawl))
        self.crawl.mkdir()
        self.cursor: str | None = None
        self.launched: Counter[str] = Counter()
        self.waiting: list[str] = []
        self.taken: list[dict[str, str]] = []

    def drop(self, name: str, data: bytes) -> None:
        path = self.crawl / "dataset-pixiv" / "resized_1" / f"{name}_p0.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def tick(self, kept: bool = True) -> int:
        """How many runs a tick started; its cursor is lost where it is not kept."""
        outcome = crawl_changes(self.lake, "pixiv", self.cursor, NEXT_YEAR)
        new = [one.run_key for one in outcome.run_requests or () if not self.launched[one.run_key]]
        self.launched.update(new)
        self.waiting += new
        self.cursor = outcome.cursor if kept else self.cursor
        return len(new)

    def run(self) -> None:
        """The intake that waits longest, as far as a sensor sees it."""
        if self.waiting:
            self.waiting.pop(0)
            inputs = self.lake.inputs("inventory", "pixiv")
            found = self.lake.crawls.now("pixiv").frame
            self.taken.append(dict(found.select("path", "version").iter_rows()))
            rows = found.select(pl.col("path").alias("image_key"), "version")
            self.lake.write("inventory", "pixiv", rows, inputs=inputs)


DROPS = st.tuples(st.just("drop"), st.sampled_from("12"), st.sampled_from([b"a", b"bb"]))
STEPS = st.one_of(DROPS, DROPS, *(st.just((name,)) for name in ("tick", "crash", "run", "remove")))


@pytest.mark.slow
@settings(max_examples=40)
@given(st.lists(STEPS, max_size=12))
def test_each_change_is_asked_for_once_whatever_comes_between(steps):
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(Path(folder))
        changed, changes = False, 0
        for kind, *given_ in steps:
            before = daemon.lake.crawls.state("pixiv")
            if kind == "drop":
                daemon.drop(*given_)
            elif kind == "remove":
                for path in daemon.crawl.rglob("1_p0.png"):
                    path.unlink()
            elif kind == "run":
                daemon.run()
            else:
                started = daemon.tick(kept=kind == "tick")
                assert started <= changed
                changed = changed and not started
            if daemon.lake.crawls.state("pixiv") != before:
                changed, changes = True, changes + 1
        daemon.tick()
        while daemon.waiting:
            daemon.run()
        assert sum(daemon.launched.values()) == len(daemon.launched) <= changes
        present = daemon.lake.crawls.now("pixiv").frame.select("path", "version")
        assert (daemon.taken or [{}])[-1] == dict(present.iter_rows())
        assert daemon.tick() == daemon.tick(kept=False) == 0


def test_the_age_is_counted_both_ways(crawled: World):
    """A clock that is behind the bucket's by less than the settle time waits too."""
    seconds = crawled.lake.project.sources["pixiv"].settle_seconds
    assert "written to" in reason(
        crawl_changes(
            crawled.lake, "pixiv", None, later(crawled) - timedelta(hours=1, seconds=seconds - 1)
        )
    )
    request(crawl_changes(crawled.lake, "pixiv", None, later(crawled) - timedelta(days=1)))
