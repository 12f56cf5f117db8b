"""The members of a listing's tar shards, many shards at once, each walked once in its life."""

import re
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from dataproc_assets.config.intake import ShardConfig
from dataproc_assets.storage.index_files import Note, confirm, read_indexes, read_lists
from dataproc_assets.storage.layout import shards_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.shard_cache import ShardCache, shard_key
from dataproc_assets.storage.shard_index import index_paths
from dataproc_assets.storage.shard_ranges import HeaderRanges, plan_ranges
from dataproc_assets.storage.tar_index import TarIndex, tar_index

TRIES = 3  # walks of a shard that is written meanwhile
MEMBER_SCHEMA = pl.Schema(
    {"name": pl.String, "offset": pl.Int64, "size": pl.Int64, "version": pl.String}
)
GONE = "is gone since it was listed"
BUSY = "is written while it is read: make its inventory again when its writer is done"


@dataclass(frozen=True)
class Shard:
    """A shard's regular files in MEMBER_SCHEMA, in its order."""

    path: str
    members: pl.DataFrame


@dataclass
class ShardsFound:
    """The shards of a listing, by path.

    `ignored` says of every member, index and shard that could not be read, or not to its end, why,
    as `place`, `reason`; `indexes` are the paths of the index files, which are no junk.
    """

    shards: list[Shard] = field(default_factory=list)
    ignored: list[Note] = field(default_factory=list)
    indexes: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Job:
    """A shard to look into, and the index files beside it with their versions."""

    path: str
    version: str
    indexes: dict[str, str]


@dataclass(frozen=True)
class _Answer:
    """What a shard holds, the notes on its index files, and the key of its file in the cache."""

    index: TarIndex
    notes: list[Note] = field(default_factory=list)
    key: str | None = None


class ShardReader:
    """Looks into shards; with a cache, only into those that it does not know yet."""

    def __init__(self, config: ShardConfig, cache: ShardCache | None = None) -> None:
        self._config, self._cache = config, cache

    def read(self, store: ObjectStore, shards: pl.DataFrame, others: pl.DataFrame) -> ShardsFound:
        """The members of all shards.

        What is cached is what the bytes of one version gave, a truncated shard's reason too. A
        shard that is written meanwhile is not, and a network's failure is raised.

        Args:
            shards: `path` and `version` of the shards in a complete listing.
            others: the same of its objects without a role: index files may be among them.

        Raises:
            ConnectionError: a shard could not be read.
        """
        beside = dict(others.select("path", "version").iter_rows())
        jobs = [
            _Job(path, version, {p: beside[p] for p in index_paths(path) if p in beside})
            for path, version in shards.sort("path").select("path", "version").iter_rows()
        ]
        found = ShardsFound(indexes={path for job in jobs for path in job.indexes})
        paths, rest = [job.path for job in jobs], [p for p in beside if p not in found.indexes]
        lists = read_lists(store, paths, rest, self._config)
        found.indexes |= set(lists)
        keys = set()
        with (
            ThreadPoolExecutor(self._config.requests) as fetchers,
            ThreadPoolExecutor(self._config.at_once) as walkers,
        ):
            answers = walkers.map(lambda job: self._shard(store, job, fetchers), jobs)
            for path, answer in zip(paths, answers, strict=True):
                uri, index = store.uri(path), answer.index
                found.shards.append(Shard(path, _frame(index)))
                found.ignored += [(f"{uri}:{name}", why) for name, why in index.skipped]
                found.ignored += [(uri, index.reason)] if index.reason else []
                found.ignored += [*answer.notes, *confirm(store, lists, path, index)]
                keys.add(answer.key)
        if self._cache:
            self._cache.sweep(keys)
        return found

    def _shard(self, store: ObjectStore, job: _Job, fetchers: Executor) -> _Answer:
        """What a shard holds, from the cache or by a walk; its version may be a newer one."""
        uri, index = store.uri(job.path), TarIndex()
        if answer := self._cached(shard_key(uri, job.version, job.indexes)):
            return answer
        try:
            for _ in range(TRIES):
                size, version = store.stat(job.path)
                key = shard_key(uri, version, job.indexes)
                if answer := self._cached(key):
                    return answer
                try:
                    index, notes = self._walk(store, job, size, fetchers)
                except EOFError:
                    continue  # it is shorter now
                if store.stat(job.path) == (size, version):
                    if self._cache:
                        self._cache.write(key, index, notes)
                    return _Answer(index, notes, key)
        except FileNotFoundError:
            return _Answer(TarIndex(reason=GONE))
        return _Answer(TarIndex(index.members, index.skipped, BUSY))

    def _cached(self, key: str) -> _Answer | None:
        known = self._cache.read(key) if self._cache else None
        return _Answer(*known, key) if known else None

    def _walk(
        self, store: ObjectStore, job: _Job, size: int, fetchers: Executor
    ) -> tuple[TarIndex, list[Note]]:
        """Walk a shard's headers, which an index beside it helps to fetch."""
        indexes = read_indexes(store, job.path, list(job.indexes), self._config)
        plan = plan_ranges(indexes.members, size, self._config)
        ranges = HeaderRanges(store, job.path, size, self._config, plan, fetchers)
        try:
            index = tar_index(ranges.read, size, self._config.block_bytes)
        finally:
            ranges.close()
        return index, [*indexes.notes, *indexes.check(store, job.path, index, size)]


def unread(path: str) -> str:
    """Why an object that has no role is left out."""
    if re.search(r"\.(tgz|tbz2?|txz|tar\.[a-z0-9]+)$", path.lower()):
        return "a compressed tar: no member of it can be read alone; unpack it to a .tar"
    return "matches no pattern of the source's crawl"


def shard_reader(config: ShardConfig, store: ObjectStore, source: str) -> ShardReader:
    """The reader of a source's shards, with its cache on the lake's store."""
    return ShardReader(config, ShardCache(store, shards_path(source)))


def _frame(index: TarIndex) -> pl.DataFrame:
    """Members in MEMBER_SCHEMA; their version is size and header time, never the offset."""
    rows = [(m.name, m.offset, m.size, f"{m.size}-{m.mtime}") for m in index.members]
    return pl.DataFrame(rows, schema=MEMBER_SCHEMA, orient="row")
