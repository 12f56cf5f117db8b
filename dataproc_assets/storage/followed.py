"""A crawl that is followed by events: its last complete listing, and what was put since."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import polars as pl

from dataproc_assets.storage import layout
from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.event_messages import EVENT_SCHEMA
from dataproc_assets.storage.event_order import Added, add_puts, added
from dataproc_assets.storage.events import drop_event_files, event_files, put_events, read_events
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import MANIFEST, TableInfo, read_table, table_info, write_table

PLACE = "place"
COVERED = "covered"


@dataclass(frozen=True)
class Followed:
    """The state of one source's crawl at one moment, as the lake knows it.

    Attributes:
        root: the URL that the crawls' paths are relative to.
        prefix: the folder of the source below it.
        base: the manifest of the last complete listing; its inputs name the place that was listed
            and the event files that were there before it began. None where there is none of this
            place.
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

    @property
    def place(self) -> str:
        """The URI below which the source's objects lie."""
        return f"{self.root}/{self.prefix}"

    @property
    def fresh_files(self) -> list[str]:
        """The event files that the listing does not cover."""
        covered = self.base.inputs if self.base else {}
        return [file for file in self.files if file not in covered]

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

        An event that comes again changes nothing.
        """
        base = self.base.digest if self.base else ""
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
        after = json_digest([self.base.digest, self.base.inputs] if self.base else None)
        row = {**dict.fromkeys(EVENT_SCHEMA.names()), "uri": after, "kind": "due"}
        put_events(self.store, self.source, pl.DataFrame([row], schema=EVENT_SCHEMA))

    def list_if_due(self, complete: Callable[[], pl.DataFrame], buckets: int) -> None:
        """Make the complete listing if it is due, in LISTING_SCHEMA.

        Files that the listing before covered are dropped after that, so that an event which comes
        again is known for as long as two listings are apart.
        """
        if not self.due:
            return
        covered = dict.fromkeys(self.files, COVERED)
        path = layout.crawl_listing_path(self.source)
        inputs = {PLACE: self.place, **covered}
        write_table(self.store, path, complete(), key="path", buckets=buckets, inputs=inputs)
        known = [file for file in self.files if file not in self.fresh_files]
        drop_event_files(self.store, self.source, known)

    def listing(self) -> pl.DataFrame:
        """The objects that are known, sorted by path, in LISTING_SCHEMA.

        Raises FileNotFoundError where nothing was ever listed.
        """
        base = read_table(self.store, layout.crawl_listing_path(self.source)).collect()
        return add_puts(base, self.added.puts)

    def _paths(self, events: pl.DataFrame) -> pl.DataFrame:
        """Events of objects below the place, with their paths as a listing has them."""
        below = events.filter(pl.col("uri").str.starts_with(f"{self.place}/"))
        path = pl.col("uri").str.strip_prefix(f"{self.root}/").alias("path")
        return below.select(path, pl.exclude("uri"))
