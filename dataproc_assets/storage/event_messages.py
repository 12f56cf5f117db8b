"""What the messages of a bucket's event notifications say: which objects were put or removed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import polars as pl

EVENT_SCHEMA = pl.Schema(
    {
        "uri": pl.String,
        "kind": pl.String,  # put, removed
        "size": pl.Int64,
        "version": pl.String,
        "time": pl.Datetime("us", "UTC"),
        "sequencer": pl.String,
    }
)
KINDS = {"ObjectCreated": "put", "ObjectRemoved": "removed", "LifecycleExpiration": "removed"}
DETAILS = {"Object Created": "put", "Object Deleted": "removed"}  # as EventBridge names them
MAX_SIZE = 2**63 - 1


@dataclass(frozen=True)
class Event:
    """One object that was put or removed, as a row of EVENT_SCHEMA; `version` is its ETag."""

    uri: str
    kind: str
    size: int | None
    version: str | None
    time: datetime
    sequencer: str | None


def read_message(body: str) -> Iterator[Event | str]:
    """The events of a message; in place of one that cannot be read, the reason.

    Understood are S3's own notifications, also wrapped by SNS, and those of EventBridge. What S3
    sends once to a new queue, `s3:TestEvent`, has none.
    """
    try:
        content = json.loads(body)
        if isinstance(content, dict) and isinstance(content.get("Message"), str):
            content = json.loads(content["Message"])  # wrapped by SNS
    except (ValueError, RecursionError):
        yield "no JSON"
        return
    if not isinstance(content, dict):
        yield "no JSON object"
    elif isinstance(content.get("Records"), list):
        for record in content["Records"]:
            yield _event(_from_record, record)
    elif content.get("source") == "aws.s3":
        yield _event(_from_detail, content)
    elif content.get("Event") != "s3:TestEvent":
        yield "no event of a bucket"


def _event(read: Any, record: Any) -> Event | str:
    """An event, or why there is none in what should be one."""
    try:
        return read(record)
    except (KeyError, TypeError, AttributeError) as error:
        return f"an event without {error}" if isinstance(error, KeyError) else "no event"
    except ValueError as error:
        return str(error)


def _from_record(record: dict[str, Any]) -> Event:
    """An event as S3 writes it; MinIO and Ceph name another source, and `s3:` in front."""
    name = str(record["eventName"]).removeprefix("s3:")
    kind = KINDS.get(name.partition(":")[0])
    if kind is None or not str(record["eventSource"]).endswith("s3"):
        raise ValueError(f"neither a new nor a removed object: {name!a}")
    found = record["s3"]["object"]
    key = unquote_plus(found["key"], errors="strict")
    return _made(record["s3"]["bucket"]["name"], key, kind, record["eventTime"], found)


def _from_detail(event: dict[str, Any]) -> Event:
    """An event as EventBridge writes it: the key is not encoded."""
    name, detail = event["detail-type"], event["detail"]
    if name not in DETAILS:
        raise ValueError(f"neither a new nor a removed object: {name!a}")
    found = detail["object"]
    return _made(detail["bucket"]["name"], found["key"], DETAILS[name], event["time"], found)


def _made(bucket: str, key: str, kind: str, time: str, found: dict[str, Any]) -> Event:
    """An event from its parts. Raises ValueError, saying what is wrong with them."""
    uri = f"s3://{bucket}/{key.removesuffix('/')}"  # a listing names a folder's mark so too
    if not {"", ".", ".."}.isdisjoint(uri.removeprefix("s3://").split("/")):
        raise ValueError("a key with an empty part, `.` or `..` cannot be a path")
    when = datetime.fromisoformat(time)
    if when.tzinfo is None:
        raise ValueError("a time without its zone")
    sequencer = found.get("sequencer")
    for text in (uri, found.get("eTag", ""), found.get("etag", ""), sequencer or ""):
        text.encode()  # a half of a pair of surrogates is no text
    if kind == "removed":
        return Event(uri, kind, None, None, when.astimezone(UTC), sequencer or None)
    size, tag = found["size"], found["eTag"] if "eTag" in found else found["etag"]
    if type(size) is not int or not 0 <= size <= MAX_SIZE:
        raise ValueError("a size that is none")
    version = tag.strip('"')
    if not version:
        raise ValueError("an empty ETag")
    return Event(uri, kind, size, version, when.astimezone(UTC), sequencer or None)
