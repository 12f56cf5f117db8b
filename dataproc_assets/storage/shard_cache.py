"""What was found in tar shards, kept so that an unchanged shard is never walked again.

One file a shard, named by the digest of where the shard lies, of its version and of the index
files beside it. A file tells its own digest in its last row: one that is cut, edited or of another
shard counts as missing, and the shard is walked again. Whoever reads a complete listing sweeps the
files of shards that are gone, so that there are never more files than shards.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import polars as pl
from polars.exceptions import PolarsError

from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.tar_index import TarIndex, TarMember

FORMAT = 1  # counted up when the walk finds more or other things than before
END = "end"
SUFFIX = ".shard.parquet"
SCHEMA = pl.Schema(
    {
        "kind": pl.String,  # a member, one that was skipped, or the end
        "name": pl.String,
        "offset": pl.Int64,
        "size": pl.Int64,
        "mtime": pl.String,  # a header's number may be larger than 64 bits
        "reason": pl.String,
    }
)


def shard_key(uri: str, version: str, indexes: dict[str, str]) -> str:
    """What names a shard's file: a digest over all that decides what is found in it.

    Args:
        indexes: the versions of the index files beside it, by path.
    """
    return json_digest([FORMAT, uri, version, indexes])[:32]


class ShardCache:
    """The files of one source's shards, in a folder that holds nothing else."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store, self._folder = store, folder

    @cached_property
    def _there(self) -> set[str]:
        """The files, listed once: a file that is not there is not asked for."""
        return set(self._store.list(self._folder)["path"])

    def read(self, key: str) -> tuple[TarIndex, list[tuple[str, str]]] | None:
        """What was kept of a shard, and the notes on its index files; None where it must be
        walked.
        """
        path = self._path(key)
        if path not in self._there:
            return None
        try:
            return _parse(key, self._store.get(path))
        except (FileNotFoundError, PolarsError, ValueError):
            return None

    def write(self, key: str, found: TarIndex, notes: list[tuple[str, str]]) -> None:
        """Keep what was found in a shard."""
        self._store.put(self._path(key), _format(key, found, notes))

    def forget(self, gone: Callable[[list[str]], set[str]]) -> None:
        """Take names out of what is kept of every shard.

        Args:
            gone: of the names of a shard's members, those that are to go.
        """
        for path in sorted(self._there):
            key = path.removeprefix(f"{self._folder}/").removesuffix(SUFFIX)
            kept = self.read(key)
            if kept is None:
                continue
            index, notes = kept
            names = gone([member.name for member in index.members])
            if names:
                members = [member for member in index.members if member.name not in names]
                self.write(key, replace(index, members=members), notes)

    def sweep(self, keys: set[str]) -> None:
        """Remove the files of all shards but these, of which it was found what they hold."""
        for path in sorted(self._there - {self._path(key) for key in keys}):
            self._store.delete(path)

    def _path(self, key: str) -> str:
        return f"{self._folder}/{key}{SUFFIX}"


def _format(key: str, found: TarIndex, notes: list[tuple[str, str]]) -> bytes:
    members = [("member", m.name, m.offset, m.size, str(m.mtime), None) for m in found.members]
    others = [("skipped", name, None, None, None, why) for name, why in found.skipped]
    others += [("note", place, None, None, None, why) for place, why in notes]
    rows = pl.DataFrame([*members, *others], schema=SCHEMA, orient="row")
    digest = _digest(key, rows, found.reason)
    end = pl.DataFrame([(END, digest, None, None, None, found.reason)], SCHEMA, orient="row")
    return to_parquet(pl.concat([rows, end]))


def _parse(key: str, data: bytes) -> tuple[TarIndex, list[tuple[str, str]]] | None:
    frame = from_parquet(data)
    if frame.schema != SCHEMA or frame.is_empty():
        return None
    rows, end = frame[:-1], frame.row(-1, named=True)
    if end["kind"] != END or end["name"] != _digest(key, rows, end["reason"]):
        return None
    members = rows.filter(pl.col("kind") == "member").select("name", "offset", "size", "mtime")
    by_kind = {
        kind: rows.filter(pl.col("kind") == kind).select("name", "reason").rows()
        for kind in ("skipped", "note")
    }
    found = [TarMember(name, start, size, int(time)) for name, start, size, time in members.rows()]
    return TarIndex(found, by_kind["skipped"], end["reason"]), by_kind["note"]


def _digest(key: str, rows: pl.DataFrame, reason: str | None) -> str:
    return json_digest([key, frame_digest(rows), reason])
