from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from dataproc_assets.storage.event_messages import EVENT_SCHEMA
from dataproc_assets.storage.event_order import add_puts, added
from dataproc_assets.storage.listed import LISTING_SCHEMA

START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = pl.Schema({"path": pl.String, **{k: EVENT_SCHEMA[k] for k in EVENT_SCHEMA if k != "uri"}})


def at(seconds):
    return START + timedelta(seconds=seconds)


def put(path, version, seconds, sequencer=None):
    return (path, "put", len(version), version, at(seconds), sequencer)


def events(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def versions(found):
    return dict(found.puts.select("path", "version").iter_rows())


def test_the_latest_put_of_each_path_counts_whatever_the_order():
    rows = [put("a", "1", 1), put("b", "1", 2), put("a", "2", 3), put("a", "1", 2)]
    for order in (rows, rows[::-1], rows + rows):
        assert versions(added(events(), events(*order))) == {"a": "2", "b": "1"}


@pytest.mark.parametrize(("later", "earlier"), [("0A1", "0A"), ("0B", "0A1"), ("0A1", "0A0F")])
def test_sequencers_outdo_times_the_shorter_padded_on_its_right(later, earlier):
    found = added(events(), events(put("a", "new", 1, later), put("a", "old", 9, earlier)))
    assert versions(found) == {"a": "new"} and not found.unordered
    assert (
        versions(added(events(put("a", "new", 1, later)), events(put("a", "old", 9, earlier))))
        == {}
    )
    after = added(events(put("a", "old", 9, earlier)), events(put("a", "new", 1, later)))
    assert versions(after) == {"a": "new"}


def test_times_decide_where_one_event_has_no_sequencer():
    found = added(events(), events(put("a", "new", 9), put("a", "old", 1, "FF"), put("b", "1", 1)))
    assert versions(found) == {"a": "new", "b": "1"}
    assert versions(added(events(put("a", "new", 9)), events(put("a", "old", 1, "FF")))) == {}


def test_what_the_listing_covers_adds_nothing():
    covered = events(put("a", "1", 1), put("a", "2", 2))
    again = added(covered, events(put("a", "2", 2), put("a", "1", 1)))
    assert versions(again) == {} and not again.unordered
    assert versions(added(covered, events(put("a", "3", 3)))) == {"a": "3"}


def test_two_versions_at_one_time_are_unordered():
    tie = events(put("a", "1", 1), put("a", "2", 1))
    assert added(events(), tie).unordered
    assert added(events(put("a", "1", 1)), events(put("a", "2", 1))).unordered
    assert not added(events(), events(put("a", "1", 1), put("a", "1", 1))).unordered
    assert not added(events(), events(put("a", "1", 1), put("b", "2", 1))).unordered
    assert not added(events(), events(put("a", "1", 1, "0A"), put("a", "2", 1, "0B"))).unordered
    later = events(put("a", "1", 1), put("a", "2", 1), put("a", "3", 2))
    assert not added(events(), later).unordered
    assert not added(tie, events(put("a", "1", 1))).unordered  # it comes again


def test_a_removal_adds_and_takes_nothing():
    gone = ("a", "removed", None, None, at(5), None)
    assert versions(added(events(), events(put("a", "1", 1), gone))) == {"a": "1"}
    assert versions(added(events(gone), events(put("a", "1", 1)))) == {"a": "1"}


def test_a_put_replaces_what_was_listed_unless_it_is_older():
    rows = [(path, 1, at(seconds), "old") for path, seconds in (("a", 1), ("b", 5), ("c", 5))]
    listing = pl.DataFrame(rows, schema=LISTING_SCHEMA, orient="row")
    news = events(put("a", "new", 2), put("b", "new", 4), put("d", "new", 1), put("c", "new", 5.2))
    found = add_puts(listing, added(events(), news).puts)
    assert found.schema == LISTING_SCHEMA
    assert found.rows() == [
        ("a", 3, at(2), "new"),
        ("b", 1, at(5), "old"),
        ("c", 3, at(5), "new"),
        ("d", 3, at(1), "new"),
    ]
    whole = pl.col("modified") + pl.duration(milliseconds=700)  # a store that tells more of a time
    finer = add_puts(listing.with_columns(whole), added(events(), news).puts)
    assert finer["version"].to_list() == ["new", "old", "new", "new"]
