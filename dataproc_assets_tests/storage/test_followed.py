import random
import tempfile
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.queues import QueueConfig
from dataproc_assets.storage.crawl_listing import Listing
from dataproc_assets.storage.event_messages import EVENT_SCHEMA
from dataproc_assets.storage.events import event_files, put_events, read_events
from dataproc_assets.storage.followed import Followed, forget_listing
from dataproc_assets.storage.listed import LISTING_SCHEMA
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.sqs import SETTINGS

START = datetime(2026, 3, 1, tzinfo=UTC)
QUEUE = QueueConfig(url="https://sqs/queue", **{**SETTINGS, "report_lag_hours": 1})
ROOT, PREFIX = "s3://crawls/here", "dataset-x"


@dataclass
class Bucket:
    """A bucket that numbers its puts, and the events that it has not delivered yet."""

    store: ObjectStore
    sequenced: bool = True
    objects: dict[str, tuple] = field(default_factory=dict)
    events: list[tuple] = field(default_factory=list)
    clock: int = 0

    def put(self, name: str, version: str, wait: int = 1000, took: int = 0) -> None:
        """An object, `wait` ms after the last; a listing tells when its upload began, `took` ms
        before, and an event when it ended."""
        self.clock += wait
        path, ended = f"{PREFIX}/{name}", START + timedelta(milliseconds=self.clock)
        began = (ended - timedelta(milliseconds=took)).replace(microsecond=0)
        self.objects[path] = (path, len(version), began, version)
        self._happened(path, "put", len(version), version)

    def remove(self, name: str) -> None:
        self.clock += 1000
        del self.objects[f"{PREFIX}/{name}"]
        self._happened(f"{PREFIX}/{name}", "removed", None, None)

    def deliver(self, *events: tuple) -> None:
        """The events, in one file."""
        put_events(self.store, "x", pl.DataFrame(events, schema=EVENT_SCHEMA, orient="row"))

    def listing(self) -> pl.DataFrame:
        rows = sorted(self.objects.values())
        return pl.DataFrame(rows, schema=LISTING_SCHEMA, orient="row")

    def complete(self, taken_at: datetime | None = None) -> Listing:
        """What a listing of all gives, or a report that was taken now."""
        objects = self.listing()
        return Listing("digest", "all", True, taken_at, None, lambda: objects)

    def now(self) -> Followed:
        return Followed.now(self.store, "x", ROOT, PREFIX)

    def list_all(self) -> None:
        followed = self.now()
        followed.ask_for_listing()
        self.now().list_if_due(self.complete, 1, QUEUE)

    def _happened(self, path, kind, size, version) -> None:
        number = f"{len(self.events) + 16:06X}".rstrip("0") if self.sequenced else None
        when = START + timedelta(milliseconds=self.clock)
        self.events.append((f"{ROOT}/{path}", kind, size, version, when, number))


@pytest.fixture
def bucket(tmp_path):
    return Bucket(ObjectStore(str(tmp_path)))


def what(listing):
    return listing.select("path", "size", "version").rows()


def test_at_first_everything_is_listed(bucket):
    bucket.put("1", "one")
    assert bucket.now().due and bucket.now().listed_at() is None
    with pytest.raises(FileNotFoundError):
        bucket.now().listing().read()
    bucket.now().list_if_due(bucket.complete, 1, QUEUE)
    assert not bucket.now().due and bucket.now().listed_at() is not None
    assert bucket.now().listing().frame.equals(bucket.listing())


def test_an_event_adds_to_the_listing_and_the_same_event_nothing(bucket):
    bucket.list_all()
    states = [bucket.now().digest]
    bucket.put("1", "one")
    bucket.deliver(*bucket.events)
    states.append(bucket.now().digest)
    assert what(bucket.now().listing().frame) == what(bucket.listing())
    bucket.put("2", "two")
    bucket.deliver(*bucket.events)
    states.append(bucket.now().digest)
    bucket.deliver(bucket.events[1])
    assert len(event_files(bucket.store, "x")) == 4  # the due mark's, and three with events
    assert bucket.now().digest == states[-1] and len(set(states)) == 3
    assert what(bucket.now().listing().frame) == what(bucket.listing())


def test_a_complete_listing_covers_what_was_received_before_it(bucket):
    bucket.list_all()
    bucket.put("1", "one")
    bucket.deliver(*bucket.events)
    bucket.list_all()
    state = bucket.now().digest
    assert bucket.now().fresh.is_empty()
    bucket.deliver(bucket.events[0], bucket.events[0])  # the same file: it was covered
    assert bucket.now().digest == state


def test_what_is_covered_is_known_for_as_long_as_the_yaml_says(bucket):
    def after(name, wait):
        bucket.put(name, "version", wait=wait)
        bucket.deliver(bucket.events[-1])
        bucket.list_all()
        files = event_files(bucket.store, "x")
        rows = read_events(bucket.store, "x", files).filter(kind="put")
        return sorted(rows["uri"].str.tail(1))

    days = round(QUEUE.keep_events_days * 86_400_000)
    bucket.list_all()
    assert after("1", 0) == ["1"]
    assert after("2", days) == ["1", "2"]
    state = bucket.now().digest
    bucket.deliver(bucket.events[0], bucket.events[1])
    assert bucket.now().digest == state
    assert after("3", 1)[-2:] == ["2", "3"]
    assert after("4", 1) == ["1", "2", "2", "3", "4"]  # that of two events is as new as 2
    assert after("5", days) == ["4", "5"]


def test_a_listing_is_asked_for_once_until_it_is_made(bucket):
    bucket.list_all()
    asked = set()
    for _ in range(3):
        before = bucket.now()
        assert not before.due
        before.ask_for_listing()
        before.ask_for_listing()
        assert bucket.now().due and bucket.now().digest != before.digest
        assert len(bucket.now().fresh_files) == 1
        asked.add(bucket.now().digest)
        bucket.now().list_if_due(bucket.complete, 1, QUEUE)
        assert bucket.now().digest == before.digest  # nothing had changed
    assert len(asked) == 3


def test_a_removal_removes_nothing_before_the_next_complete_listing(bucket):
    bucket.put("1", "one")
    bucket.put("2", "two")
    bucket.list_all()
    before = bucket.now()
    bucket.remove("1")
    bucket.deliver(*bucket.events)
    now = bucket.now()
    assert now.removals and not now.due and not before.removals
    assert now.listing().frame.height == 2
    bucket.list_all()
    assert what(bucket.now().listing().frame) == [(f"{PREFIX}/2", 3, "two")]
    assert not bucket.now().removals


def test_a_late_event_does_not_bring_back_what_was_removed_since(bucket):
    bucket.put("1", "one")
    bucket.deliver(*bucket.events)
    bucket.remove("1")
    bucket.list_all()
    bucket.deliver(*bucket.events)
    assert bucket.now().listing().frame.is_empty()


def test_another_place_is_listed_anew(bucket):
    bucket.list_all()
    bucket.put("1", "one")
    bucket.deliver(*bucket.events)
    moved = Followed.now(bucket.store, "x", "s3://moved", PREFIX)
    assert moved.due and moved.digest != bucket.now().digest
    assert moved.added.puts.is_empty() and moved.base is None


def test_a_listing_that_is_forgotten_is_made_anew(bucket):
    bucket.list_all()
    forget_listing(bucket.store, "x")
    assert bucket.now().due
    forget_listing(bucket.store, "x")


def test_a_report_covers_events_that_are_older_than_it_by_the_lag(bucket):
    bucket.put("1", "one")
    bucket.put("2", "two", wait=3_600_000)
    for event in bucket.events:
        bucket.deliver(event)
    report = bucket.complete(START + timedelta(hours=1, seconds=2))
    lagging = replace(report, read=lambda: bucket.listing().head(1))  # lacks what was newest
    bucket.now().list_if_due(lambda: lagging, 1, QUEUE)
    assert bucket.now().fresh["uri"].to_list() == [f"{ROOT}/{PREFIX}/2"]
    assert what(bucket.now().listing().frame) == what(bucket.listing())
    assert bucket.now().listing().taken_at == report.taken_at
    bucket.now().ask_for_listing()
    bucket.now().list_if_due(lambda: lagging, 1, QUEUE)
    assert not bucket.now().due and len(bucket.now().fresh_files) == 1
    later = replace(report, taken_at=START + timedelta(hours=3))
    bucket.now().ask_for_listing()
    bucket.now().list_if_due(lambda: later, 1, QUEUE)
    assert not bucket.now().fresh_files
    assert what(bucket.now().listing().frame) == what(bucket.listing())


@pytest.mark.parametrize("dies_at", ["listing", "dropping"])
def test_a_listing_that_was_cut_short_is_made_again(bucket, monkeypatch, dies_at):
    bucket.put("1", "one")
    bucket.deliver(*bucket.events)
    bucket.list_all()
    bucket.put("2", "two")
    bucket.deliver(bucket.events[1])
    bucket.now().ask_for_listing()

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("dataproc_assets.storage.followed.drop_event_files", die)
        bucket.now().list_if_due(die if dies_at == "listing" else bucket.complete, 1, QUEUE)
    assert bucket.now().due == (dies_at == "listing")
    bucket.now().list_if_due(bucket.complete, 1, QUEUE)
    assert not bucket.now().due
    assert what(bucket.now().listing().frame) == what(bucket.listing())


NAMES = st.sampled_from("ab")
PUTS = st.tuples(
    st.just("put"),
    NAMES,
    st.sampled_from("AB"),
    st.sampled_from([0, 1, 700, 1000]),
    st.sampled_from([0, 900, 5000]),
)
STEPS = st.one_of(PUTS, PUTS, st.just(("list",)), st.tuples(st.just("deliver"), st.integers(0)))


@settings(max_examples=100)
@given(st.lists(STEPS, max_size=14), st.booleans(), st.integers(0))
def test_events_in_any_order_end_where_a_listing_does(steps, sequenced, seed):
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        bucket = Bucket(ObjectStore(folder), sequenced)
        delivered = set()
        for kind, *given_ in steps:
            if kind == "put":
                bucket.put(*given_)
            elif kind == "list":
                bucket.list_all()
            elif bucket.events:
                event = bucket.events[given_[0] % len(bucket.events)]
                bucket.deliver(event)
                delivered.add(event)
                bucket.now().list_if_due(bucket.complete, 1, QUEUE)
        late = [event for event in bucket.events if event not in delivered] + [*delivered]
        for event in draw.sample(late, len(late)):
            bucket.deliver(event)
        bucket.now().list_if_due(bucket.complete, 1, QUEUE)
        assert what(bucket.now().listing().frame) == what(bucket.listing())
        state = bucket.now().digest
        bucket.deliver(*draw.choices(bucket.events, k=3) if bucket.events else ())
        assert bucket.now().digest == state and not bucket.now().due
