"""Reading the index files beside tar shards, and saying which of them do not fit."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from dataproc_assets.config.intake import ShardConfig
from dataproc_assets.storage.objects import ObjectStore, TooLargeError
from dataproc_assets.storage.shard_index import (
    BrokenIndexError,
    ShardIndex,
    misfit,
    parse_index,
    parse_wids,
)
from dataproc_assets.storage.tar_index import TarIndex

Note = tuple[str, str]  # place, reason


@dataclass
class IndexesFound:
    """What the index files of one shard say, by their paths, and which could not be understood."""

    by_path: dict[str, ShardIndex] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    @property
    def members(self) -> list[tuple[int, int]]:
        """Offset and size of each member by the first index that knows them, else none."""
        entries = next((i.entries for i in self.by_path.values() if i.entries is not None), [])
        return [(entry.offset, entry.size) for entry in entries]

    def check(self, store: ObjectStore, shard: str, found: TarIndex, size: int) -> list[Note]:
        """A note for each index that does not fit the shard, whose headers count."""
        reasons = {path: misfit(i, found.members, size) for path, i in self.by_path.items()}
        return [(store.uri(path), _stale(shard, why)) for path, why in reasons.items() if why]


def read_indexes(
    store: ObjectStore, shard: str, paths: list[str], config: ShardConfig
) -> IndexesFound:
    """Read the index files of a shard.

    Raises:
        ConnectionError: one could not be read.
    """
    found = IndexesFound()
    for path in paths:
        try:
            data = _get(store, path, config)
            found.by_path[path] = parse_index(path, data, shard)
        except BrokenIndexError as error:
            place = PurePosixPath(shard).name
            note = f"is no index of {place} that can be used: {error}; its headers were read"
            found.notes.append((store.uri(path), note))
    return found


def read_lists(
    store: ObjectStore, shards: list[str], others: list[str], config: ShardConfig
) -> dict[str, dict[str, ShardIndex]]:
    """The wids shard lists among the JSON files in the shards' folders: path -> shard -> index.

    Where a folder has more JSON files than the configuration takes for lists, none is read.
    """
    folders = {PurePosixPath(shard).parent for shard in shards}
    files = [
        p for p in sorted(others) if p.endswith(".json") and PurePosixPath(p).parent in folders
    ]
    counts = Counter(PurePosixPath(path).parent for path in files)
    lists = {}
    for path in files:
        if counts[PurePosixPath(path).parent] > config.index_files:
            continue
        try:
            lists[path] = parse_wids(path, _get(store, path, config), shards)
        except BrokenIndexError:
            continue  # some other file, which nothing was expected of
    return lists


def confirm(
    store: ObjectStore,
    lists: dict[str, dict[str, ShardIndex]],
    shard: str,
    found: TarIndex,
) -> list[Note]:
    """A note for each wids list that counts other samples than a shard has."""
    reasons = {
        path: misfit(index[shard], found.members, None)
        for path, index in lists.items()
        if shard in index
    }
    return [(store.uri(path), _stale(shard, why)) for path, why in reasons.items() if why]


def _stale(shard: str, why: str) -> str:
    return f"does not fit {PurePosixPath(shard).name}: {why}; the shard's own headers count"


def _get(store: ObjectStore, path: str, config: ShardConfig) -> bytes:
    """A file's bytes. Raises BrokenIndexError where it is gone or too large to be read."""
    try:
        return store.get(path, config.index_bytes)
    except TooLargeError as error:
        limit = f"more than crawl.shards.index_bytes ({config.index_bytes}) in conf/profiles"
        raise BrokenIndexError(f"it has {error.size} bytes, {limit}") from None
    except FileNotFoundError:
        raise BrokenIndexError("it is gone since it was listed") from None
