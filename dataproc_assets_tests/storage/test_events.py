import json

import polars as pl
import pytest

from dataproc_assets.storage import events as module
from dataproc_assets.storage.event_messages import EVENT_SCHEMA
from dataproc_assets.storage.events import event_files, put_events, read_events, take_events
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.queue import Queue
from dataproc_assets_tests.sqs import make_events, point_to


@pytest.fixture
def lake(tmp_path):
    return ObjectStore(str(tmp_path / "lake"))


def places(events, *sources):
    return {source: f"s3://{events.bucket}/dataset-{source}" for source in sources}


def rows(lake, source):
    return read_events(lake, source, event_files(lake, source))


def rejects(lake):
    paths = lake.list("event_rejects")["path"]
    return [json.loads(line) for path in paths for line in lake.get(path).decode().splitlines()]


def test_an_event_says_of_an_object_what_a_listing_says(events, lake):
    names = ["1.webp", "a b+c/é%2F&=.webp", "notes.txt", "漢字~'(1).webp"]
    for name in names:
        events.put(f"dataset-x/{name}", name.encode())
    upload = {"Bucket": events.bucket, "Key": "dataset-x/large.tar"}
    multipart = events.s3.create_multipart_upload(**upload)["UploadId"]
    tags = [
        events.s3.upload_part(**upload, UploadId=multipart, PartNumber=number, Body=body)["ETag"]
        for number, body in ((1, b"x" * (5 << 20)), (2, b"y"))
    ]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    events.s3.complete_multipart_upload(
        **upload, UploadId=multipart, MultipartUpload={"Parts": parts}
    )
    taken = take_events(lake, events.queue(), places(events, "x"))
    assert taken.rejected == 0 and events.waiting() == 0
    bucket = ObjectStore(f"s3://{events.bucket}")
    listed = {
        bucket.uri(path): rest
        for path, *rest in bucket.list().select("path", "size", "version").rows()
    }
    found = rows(lake, "x").filter(kind="put").select("uri", "size", "version")
    assert {uri: rest for uri, *rest in found.rows()} == listed
    assert len(listed) == 5 and listed[bucket.uri("dataset-x/large.tar")][1].endswith("-2")


def test_a_removal_is_an_event(events, lake):
    events.put("dataset-x/1.webp", b"one")
    events.s3.delete_object(Bucket=events.bucket, Key="dataset-x/1.webp")
    take_events(lake, events.queue(), places(events, "x"))
    assert sorted(rows(lake, "x")["kind"]) == ["put", "removed"]


def test_each_event_of_a_shared_queue_goes_to_its_source(events, lake):
    for source in ("x", "y", "xy"):
        events.put(f"dataset-{source}/1.webp", b"one")
    taken = take_events(lake, events.queue(), places(events, "x", "y"))
    assert (taken.messages, taken.rejected) == (4, 1)
    for source in ("x", "y"):
        (uri,) = rows(lake, source)["uri"]
        assert uri == f"s3://{events.bucket}/dataset-{source}/1.webp"
    (left,) = rejects(lake)
    other = f"s3://{events.bucket}/dataset-xy/1.webp"
    assert left["reason"] == f"no source of this queue has {other}"
    assert left["queue"] == events.url and "dataset-xy" in left["message"]


def test_junk_is_kept_with_its_reason_and_blocks_nothing(events, lake):
    events.send("hello", '{"a": 1}', "hello")
    events.put("dataset-x/1.webp", b"one")
    taken = take_events(lake, events.queue(), places(events, "x"))
    assert (taken.messages, taken.rejected) == (5, 3)
    assert {(left["message"], left["reason"]) for left in rejects(lake)} == {
        ("hello", "no JSON"),
        ('{"a": 1}', "no event of a bucket"),
    }
    assert rows(lake, "x").height == 1 and events.waiting() == 0


def test_a_tick_takes_no_more_than_it_may(events, lake):
    for number in range(30):
        events.put(f"dataset-x/{number}.webp", b"one")
    queue = events.queue(messages_per_tick=15, messages_per_file=12)
    seen = []
    while (taken := take_events(lake, queue, places(events, "x"))).messages:
        seen.append(taken.messages)
    assert sum(seen) == 31 and seen[0] < 31 and events.waiting() == 0
    assert rows(lake, "x")["uri"].n_unique() == rows(lake, "x").height == 30


def test_a_message_that_comes_again_is_the_same_file(events, lake):
    put = {"Records": [RECORD]}
    for _ in range(2):
        events.send(put)
        take_events(lake, events.queue(), {"x": "s3://b/dataset-x"})
    assert len(event_files(lake, "x")) == 1


@pytest.mark.parametrize("step", ["put_events", "delete", "half of delete"])
def test_a_crash_at_any_step_loses_nothing(moto, lake, monkeypatch, step):
    point_to(monkeypatch, moto)
    events = make_events(
        moto, f"crawls-{step.replace(' ', '-').replace('_', '-')}", visibility_seconds=1
    )
    for number in range(12):
        events.put(f"dataset-x/{number}.webp", b"one")
    delete = Queue.delete

    def die(*_):
        raise KeyboardInterrupt

    def half(queue, messages):
        delete(queue, messages[::2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if step == "put_events":
            patch.setattr(module, "put_events", die)
        else:
            patch.setattr(Queue, "delete", die if step == "delete" else half)
        take_events(lake, events.queue(), places(events, "x"))
    while events.waiting():
        take_events(lake, events.queue(), places(events, "x"))
    found = rows(lake, "x").unique()
    assert found.height == 12 and found["uri"].n_unique() == 12


def test_a_file_of_events_is_named_by_what_it_says(lake):
    frame = EVENT_SCHEMA.to_frame().clear(2).with_columns(kind=pl.lit("put"))
    for rows_ in (frame, frame.reverse(), frame.head(1)):
        put_events(lake, "x", rows_)
    assert len(event_files(lake, "x")) == 1
    assert read_events(lake, "x", [*event_files(lake, "x"), "gone.parquet"]).height == 1


RECORD = {
    "eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put",
    "eventTime": "2026-03-01T08:00:00.000Z",
    "s3": {"bucket": {"name": "b"}, "object": {"key": "dataset-x/1", "size": 1, "eTag": "e"}},
}
