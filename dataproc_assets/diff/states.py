"""States of a stage table: the present one, one that a versioned bucket keeps, one elsewhere."""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.lake import COMPANIONS, Lake
from dataproc_assets.storage.layout import stage_path
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets.storage.stages import PUBLISHED, partitions
from dataproc_assets.storage.tables import (
    MANIFEST,
    Bucket,
    ChangedFileError,
    TableInfo,
    parse_info,
    table_info,
)
from dataproc_assets.storage.versions import object_versions

SHORTEST = 4  # letters of a VersionId or a digest that may stand for it


class UnknownTableState(LookupError):  # noqa: N818
    """There is no such table or state; the message names those that there are."""


@dataclass(frozen=True)
class TableState:
    """A table as it is or was.

    Attributes:
        asked: how it was named.
        info: what its manifest says.
        store: where it lies, at `path`.
        past: whether its files may be old versions of a bucket's objects.
    """

    asked: str
    info: TableInfo
    store: ObjectStore
    path: str
    past: bool

    def read(self, numbers: list[int]) -> pl.DataFrame:
        """The rows of some buckets, at least one, each file verified. Raises ChangedFileError."""
        return pl.concat([self._bucket(self.info.buckets[number]) for number in numbers])

    def _bucket(self, bucket: Bucket) -> pl.DataFrame:
        path = f"{self.path}/{bucket.file}"
        for version in self._versions(path):
            try:
                data = self.store.get(path, version=version)
            except FileNotFoundError:
                continue
            if bytes_digest(data) == bucket.sha256:
                return from_parquet(data)
        raise ChangedFileError(
            f"{self.store.uri(path)}: this file of {self.asked} is no longer as it was written"
        )

    def _versions(self, path: str) -> list[str | None]:
        if not self.past:
            return [None]
        return [entry.version for entry in object_versions(self.store, path) if not entry.deleted]


def is_table(lake: Lake, asked: str) -> bool:
    """Whether what was asked for is a table's name, with or without what goes with it."""
    return _split(asked)[1].partition("/")[0] in _tables(lake)


def find_state(lake: Lake, asked: str) -> TableState:
    """The state that `[ROOT#]TABLE[/PARTITION][@STATE]` names.

    ROOT is another storage root, by default that of the profile. STATE is `previous`, the
    beginning of a VersionId or of a digest, or a time in ISO 8601; the state at that time is the
    one that was written last before it. Only a versioned bucket keeps states of the past.

    Raises UnknownTableState.
    """
    root, name, state = _split(asked)
    table, _, partition = name.partition("/")
    tables = _tables(lake)
    if table not in tables:
        raise UnknownTableState(f"no table {table!r}; there are {', '.join(sorted(tables))}")
    known = partitions(lake.project, lake.stages[tables[table]].by)
    if (partition or None) not in known:
        told = ", ".join(f"{table}/{key}" for key in known if key) or table
        raise UnknownTableState(f"{asked!r} names no table; there are {told}")
    store = open_store(root) if root else lake.store
    path = stage_path(table, partition or None)
    if state is None:
        info = table_info(store, path)
        if info is None:
            raise UnknownTableState(f"{store.uri(path)}: there is no such table")
        return TableState(asked, info, store, path, past=False)
    return _past(store, path, asked, state)


def _past(store: ObjectStore, path: str, asked: str, state: str) -> TableState:
    found = []  # the newest first, each content once in a row
    for entry in object_versions(store, f"{path}/{MANIFEST}"):
        if not entry.deleted:
            info = parse_info(store, path, store.get(f"{path}/{MANIFEST}", version=entry.version))
            found.append((entry, info))
    if not found:
        raise UnknownTableState(
            f"{store.uri(path)}: no state of the past is kept there: only a versioned bucket keeps "
            "them; a copy of the storage root is named as ROOT#TABLE"
        )
    for entry, info in found:
        same = len(state) >= SHORTEST and (
            entry.version.startswith(state) or info.digest.startswith(state)
        )
        if same or (state == "previous" and info.digest != found[0][1].digest):
            return TableState(asked, info, store, path, past=True)
    time = _time(state)
    for entry, info in found:
        if time is not None and entry.modified <= time:
            return TableState(asked, info, store, path, past=True)
    there = ", ".join(f"{e.modified:%Y-%m-%dT%H:%M:%S} {i.digest[:12]}" for e, i in found[:8])
    raise UnknownTableState(f"{asked}: no such state; the newest are {there}")


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _split(asked: str) -> tuple[str | None, str, str | None]:
    root, _, rest = asked.rpartition("#")
    name, _, state = rest.partition("@")
    return root or None, name, state or None


def _tables(lake: Lake) -> dict[str, str]:
    """The tables by name, companions among them, with the stage that each is of."""
    stages = {name: name for name in lake.stages if name not in PUBLISHED}
    others = {other: stage for stage, others in COMPANIONS.items() for other in others}
    return {**stages, **others}
