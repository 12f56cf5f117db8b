"""A crawl that is followed by events: its last complete listing, and what was put since."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import cast

import polars as pl

from dataproc_assets.config.queues import QueueConfig
from dataproc_assets.storage import layout
from dataproc_assets.storage.crawl_listing import Listing
from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.event_messages import EVENT_SCHEMA
from dataproc_assets.storage.event_order import Added, add_puts, added
from dataproc_assets.storage.events import drop_event_files, event_files, put_events, read_events
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import MANIFEST, TableInfo, read_table, table_info, write_table

PLACE, TAKEN_AT, COVERED = "place", "taken_at", "covered"


@dataclass(frozen=True)
class Followed:
    """The state of one source's crawl at one moment, as the lake knows it.

    Attributes:
        root: the URL that the crawls' paths are relative to.
        prefix: the folder of the source below it.
        base: the manifest of the last complete listing; its inputs name the place that was
            listed, the event files that it is at least as new as, and, where it is a report, its
            time. None where there is none of this place.
        files: the names of all event files.
    """

    store: ObjectStore
    source: str
    root: str
    prefix: str
    base: TableInfo | None
    files: list[str]

    @classmethod
    def now(cls, store: ObjectStore, source: str, root: str, prefix: str) -> "Followed":
        """The present state."""
        base = table_info(store, layout.crawl_listing_path(source))
        if base is not None and base.inputs.get(PLACE) != f"{root}/{prefix}":
            base = None
        return cls(store, source, root, prefix, base, event_files(store, source))

    def again(self) -> "Followed":
        """The state as it now is."""
        return Followed.now(self.store, self.source, self.root, self.prefix)

    @property
    def taken_at(self) -> datetime | None:
        """When the report was taken that the last complete listing was read from, if it was."""
        time = self.base.inputs.get(TAKEN_AT) if self.base else None
        return datetime.fromisoformat(time) if time else None

    @property
    def place(self) -> str:
        """The URI below which the source's objects lie."""
        return f"{self.root}/{self.prefix}"

    @property
    def fresh_files(self) -> list[str]:
        """The event files that the listing does not cover."""
        covered = self.base.inputs if self.base else {}
        return [file for file in self.files if file not in covered]

    @property
    def base_digest(self) -> str:
        """What stands for one making of the complete listing; empty where there is none."""
        return json_digest([self.base.digest, self.base.inputs]) if self.base else ""

    @property
    def files_digest(self) -> str:
        """What changes when anything that is known does, without a look into the files."""
        return json_digest([self.place, self.base_digest, self.files])

    @cached_property
    def fresh(self) -> pl.DataFrame:
        """The rows of the fresh files, in EVENT_SCHEMA."""
        return read_events(self.store, self.source, self.fresh_files)

    @cached_property
    def added(self) -> Added:
        """What the fresh events add to the listing."""
        covered = [file for file in self.files if file not in self.fresh_files]
        old = read_events(self.store, self.source, covered) if self.fresh_files else self.fresh
        return added(self._paths(old), self._paths(self.fresh))

    @property
    def due(self) -> bool:
        """Whether the next intake has to list everything."""
        asked = (self.fresh["kind"] == "due").any()
        return self.base is None or asked or self.added.unordered

    @property
    def digest(self) -> str:
        """What stands for the crawl: it changes with a put that is news, and when a listing is due.

        An event that comes again changes nothing. Each time that a listing is due it is another.
        """
        base = self.base.digest if self.base and not self.due else self.base_digest
        puts = frame_digest(self.added.puts.select("path", "version"))
        return json_digest([self.place, base, puts, self.due])

    @property
    def removals(self) -> bool:
        """Whether an object was removed since the last complete listing began."""
        return bool((self.fresh["kind"] == "removed").any())

    @property
    def times(self) -> pl.Series:
        """When the fresh events happened."""
        return self.fresh["time"].drop_nulls()

    def listed_at(self) -> datetime | None:
        """When the last complete listing was written, by the storage's clock."""
        folder = layout.crawl_listing_path(self.source)
        found = self.store.list(folder).filter(pl.col("path") == f"{folder}/{MANIFEST}")
        return found["modified"].item() if self.base and found.height else None

    def ask_for_listing(self) -> None:
        """Make a complete listing due; asked again before it is made, this changes nothing."""
        row = {**dict.fromkeys(EVENT_SCHEMA.names()), "uri": self.base_digest, "kind": "due"}
        put_events(self.store, self.source, pl.DataFrame([row], schema=EVENT_SCHEMA))

    def list_if_due(
        self, complete: Callable[[], Listing], buckets: int, queue: QueueConfig
    ) -> None:
        """Make the complete listing, if it is due.

        It covers the event files that were there before it began; a report, those whose events
        are older than it by the YAML's `report_lag_hours`. What was covered already is dropped
        `keep_events_days` after it happened, counted to the newest event: until then an event that
        comes again is known.
        """
        if not self.due:
            return
        listing = complete()
        known = [file for file in self.files if file not in self.fresh_files]
        files, inputs = self.files, {PLACE: self.place}
        if listing.taken_at:
            until = listing.taken_at - timedelta(hours=queue.report_lag_hours)
            files = [*known, *self._before(self.fresh_files, until)]
            inputs[TAKEN_AT] = listing.taken_at.isoformat()
        path = layout.crawl_listing_path(self.source)
        inputs |= dict.fromkeys(files, COVERED)
        write_table(self.store, path, listing.frame, key="path", buckets=buckets, inputs=inputs)
        newest = read_events(self.store, self.source, self.files)["time"].max()
        if isinstance(newest, datetime):
            old = self._before(known, newest - timedelta(days=queue.keep_events_days))
            drop_event_files(self.store, self.source, old)

    def listing(self) -> Listing:
        """The objects that are known: those of the complete listing, and those put since."""
        return Listing(
            digest=self.digest,
            what=f"the last listing and {len(self.fresh_files)} files of events",
            complete=True,
            taken_at=self.taken_at,
            newest=cast("datetime | None", self.times.max()),
            read=self._objects,
            base=self.base_digest,
        )

    def _objects(self) -> pl.DataFrame:
        """Raises FileNotFoundError where nothing was ever listed."""
        base = read_table(self.store, layout.crawl_listing_path(self.source)).collect()
        return add_puts(base, self.added.puts)

    def _before(self, files: list[str], until: datetime) -> list[str]:
        """The files whose events all happened before a time."""
        times = ((file, read_events(self.store, self.source, [file])["time"]) for file in files)
        return [file for file, time in times if (time.drop_nulls() < until).all()]

    def _paths(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events of objects below the place, with their paths as a listing has them."""
        below = events.filter(pl.col("uri").str.starts_with(f"{self.place}/"))
        path = pl.col("uri").str.strip_prefix(f"{self.root}/").alias("path")
        return below.select(path, pl.exclude("uri"))


def forget_listing(store: ObjectStore, source: str) -> None:
    """Take away the listing of a crawl that is no longer followed: events since may be lost."""
    store.delete(f"{layout.crawl_listing_path(source)}/{MANIFEST}")
