"""Events of a bucket from a queue into the lake: kept there first, removed from the queue after.

A message that comes twice, or is received again after a crash, gives the same rows once more, and
rows count once wherever they are read.
"""

import json
from collections import defaultdict
from dataclasses import astuple, dataclass

import polars as pl

from dataproc_assets.storage import layout
from dataproc_assets.storage.digest import bytes_digest, frame_digest
from dataproc_assets.storage.event_messages import EVENT_SCHEMA, Event, read_message
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.queue import Message, Queue

SUFFIX = ".parquet"


@dataclass(frozen=True)
class Taken:
    """What came out of a queue: messages, and how many of their events were set aside."""

    messages: int
    rejected: int


def take_events(store: ObjectStore, queue: Queue, places: dict[str, str]) -> Taken:
    """Move a queue's messages into the lake, up to the YAML's `messages_per_tick`.

    Args:
        places: source -> the URI below which its objects lie: of all sources of this queue.

    What is no event of a source is kept with its reason, and goes from the queue like the rest.
    Raises ConnectionError where the queue cannot be reached; what was moved until then stays so.
    """
    messages, rejected, full = 0, 0, queue.config.messages_per_file
    while messages < queue.config.messages_per_tick:
        batch = queue.receive()
        while batch and len(batch) < full and (more := queue.receive()):
            batch += more
        if not batch:
            break
        rejected += _keep(store, queue.config.url, places, batch)
        queue.delete(batch)
        messages += len(batch)
    return Taken(messages, rejected)


def put_events(store: ObjectStore, source: str, events: pl.DataFrame) -> None:
    """Write events of a source, in EVENT_SCHEMA, as a file that is named by their digest."""
    rows = events.unique().sort(EVENT_SCHEMA.names())
    name = frame_digest(rows)[:32]
    store.put_new(f"{layout.events_path(source)}/{name}{SUFFIX}", to_parquet(rows))


def event_files(store: ObjectStore, source: str) -> list[str]:
    """The names of a source's event files, sorted."""
    folder = f"{layout.events_path(source)}/"
    paths = store.list(folder.removesuffix("/"))["path"]
    return sorted(path.removeprefix(folder) for path in paths if path.endswith(SUFFIX))


def read_events(store: ObjectStore, source: str, files: list[str]) -> pl.DataFrame:
    """The rows of some event files, in EVENT_SCHEMA; a file that went meanwhile has none."""
    frames = [EVENT_SCHEMA.to_frame()]
    for file in files:
        try:
            data = store.get(f"{layout.events_path(source)}/{file}")
        except FileNotFoundError:
            continue
        frames.append(from_parquet(data))
    return pl.concat(frames)


def drop_event_files(store: ObjectStore, source: str, files: list[str]) -> None:
    """Remove event files."""
    for file in files:
        store.delete(f"{layout.events_path(source)}/{file}")


def _keep(store: ObjectStore, url: str, places: dict[str, str], batch: list[Message]) -> int:
    """Write what messages say; returns how many events were set aside."""
    events: dict[str, list[Event]] = defaultdict(list)
    rejects = []
    for message in batch:
        for found in read_message(message.body):
            source = found if isinstance(found, str) else _source(found, places)
            if isinstance(found, Event) and source in places:
                events[source].append(found)
            else:
                rejects.append({"queue": url, "reason": source, "message": message.body})
    for source, rows in sorted(events.items()):
        frame = pl.DataFrame([astuple(row) for row in rows], schema=EVENT_SCHEMA, orient="row")
        put_events(store, source, frame)
    if rejects:
        lines = sorted({json.dumps(one, sort_keys=True, ensure_ascii=False) for one in rejects})
        data = "".join(f"{line}\n" for line in lines).encode()
        store.put_new(layout.event_rejects_path(bytes_digest(data)[:32]), data)
    return len(rejects)


def _source(event: Event, places: dict[str, str]) -> str:
    """The source that an object is of, else why it is of none."""
    for source, place in places.items():
        if event.uri.startswith(f"{place}/"):
            return source
    return f"no source of this queue has {event.uri}"
