import json
from dataclasses import astuple
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.event_messages import EVENT_SCHEMA, Event, read_message
from dataproc_assets.storage.parquet import from_parquet, to_parquet

TIME = "2026-03-01T08:00:05.250Z"
WHEN = datetime(2026, 3, 1, 8, 0, 5, 250_000, UTC)
OBJECT = {
    "key": "dataset-x/1+%2B%C3%A9.webp",
    "size": 3,
    "eTag": "abc-2",
    "versionId": "v1",
    "sequencer": "0055aed6dcd90281e5",
}
PUT = Event("s3://crawls/dataset-x/1 +é.webp", "put", 3, "abc-2", WHEN, OBJECT["sequencer"])


def record(name="ObjectCreated:Put", time=TIME, source="aws:s3", **changes):
    """A record as S3 writes it; a change to None leaves the key out."""
    found = {key: value for key, value in {**OBJECT, **changes}.items() if value is not None}
    return {
        "eventVersion": "2.1",
        "eventSource": source,
        "eventTime": time,
        "eventName": name,
        "s3": {"bucket": {"name": "crawls"}, "object": found},
    }


def read(content):
    return list(read_message(json.dumps(content)))


def read_record(**changes):
    (found,) = read({"Records": [record(**changes)]})
    return found


@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
def test_a_new_object_is_read_with_the_version_of_a_listing(name):
    assert read_record(name=f"ObjectCreated:{name}") == PUT
    assert read_record(name=f"s3:ObjectCreated:{name}", source="minio:s3", eTag='"abc-2"') == PUT


@pytest.mark.parametrize(
    "name",
    ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "LifecycleExpiration:Delete"],
)
def test_a_removed_object_has_no_size_and_no_version(name):
    found = read_record(name=name, size=None, eTag=None, sequencer=None)
    assert found == Event(PUT.uri, "removed", None, None, WHEN, None)


def test_a_folders_mark_has_the_path_that_a_listing_gives_it():
    assert read_record(key="dataset-x/new/", size=0).uri == "s3://crawls/dataset-x/new"


def test_a_time_of_another_zone_is_the_same_moment():
    east = WHEN.astimezone(timezone(timedelta(hours=9))).isoformat()
    assert read_record(time=east) == PUT


def test_sns_and_event_bridge_say_the_same():
    inner = json.dumps({"Records": [record(), record(name="ObjectRemoved:Delete")]})
    wrapped = read({"Type": "Notification", "TopicArn": "arn:…", "Message": inner})
    assert [event.kind for event in wrapped] == ["put", "removed"] and wrapped[0] == PUT
    found = {"key": "dataset-x/1 +é.webp", "size": 3, "etag": "abc-2"}
    found["sequencer"] = OBJECT["sequencer"]
    detail = {"bucket": {"name": "crawls"}, "object": found, "reason": "PutObject"}
    event = {"source": "aws.s3", "detail-type": "Object Created", "time": TIME, "detail": detail}
    assert read(event) == [PUT]
    deleted = {"bucket": {"name": "crawls"}, "object": {"key": "dataset-x/1 +é.webp"}}
    (gone,) = read({**event, "detail-type": "Object Deleted", "detail": deleted})
    assert (gone.kind, gone.uri) == ("removed", PUT.uri)


def test_the_message_to_a_new_queue_says_nothing():
    test = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": TIME, "Bucket": "crawls"}
    assert read(test) == read({"Type": "Notification", "Message": json.dumps(test)}) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": None}, "an event without 'size'"),
        ({"eTag": None}, "an event without 'etag'"),
        ({"key": None}, "an event without 'key'"),
        ({"size": "3"}, "a size that is none"),
        ({"size": True}, "a size that is none"),
        ({"size": -1}, "a size that is none"),
        ({"size": 2**63}, "a size that is none"),
        ({"eTag": '""'}, "an empty ETag"),
        ({"eTag": 5}, "no event"),
        ({"key": "a//b"}, "a key with an empty part, `.` or `..` cannot be a path"),
        ({"key": "../b"}, "a key with an empty part, `.` or `..` cannot be a path"),
        ({"time": "2026-03-01T08:00:05"}, "a time without its zone"),
        ({"name": "ObjectTagging:Put"}, "neither a new nor a removed object: 'ObjectTagging:Put'"),
        ({"source": "aws:sns"}, "neither a new nor a removed object: 'ObjectCreated:Put'"),
    ],
)
def test_a_record_that_cannot_be_read_says_why_and_the_next_is_read(changes, reason):
    assert read({"Records": [record(**changes), record()]}) == [reason, PUT]


NO_TEXT = [("key", "%ff"), ("key", "\ud800"), ("eTag", "\ud800"), ("sequencer", "\ud800")]


@pytest.mark.parametrize("changes", [{"time": "yesterday"}, *({k: v} for k, v in NO_TEXT)])
def test_what_is_no_text_or_no_time_is_a_reason_too(changes):
    assert isinstance(read_record(**changes), str)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("hello", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[]", "no JSON object"),
        ('{"Message": "hello"}', "no JSON"),
        ('{"Message": "5"}', "no JSON object"),
        ('{"Records": 5}', "no event of a bucket"),
        ('{"Records": [5]}', "no event"),
        ('{"source": "aws.s3"}', "an event without 'detail-type'"),
    ],
)
def test_a_message_that_cannot_be_read_says_why(body, reason):
    assert list(read_message(body)) == [reason]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = ["key", "size", "eTag", "sequencer"]


@given(changes=st.dictionaries(st.sampled_from(NAMES), json_values), time=json_values)
def test_no_value_of_a_record_is_an_error(changes, time):
    body = json.dumps({"Records": [record(time=time, **changes)], "other": time})
    found = list(read_message(body))
    assert len(found) == 1
    rows = [astuple(event) for event in found if isinstance(event, Event)]
    frame = pl.DataFrame(rows, schema=EVENT_SCHEMA, orient="row")
    assert from_parquet(to_parquet(frame)).rows() == rows
