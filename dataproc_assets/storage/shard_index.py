"""Index files beside tar shards: where a shard's members lie, or how many samples it has.

Three formats are known. DALI's `.idx` (wds2idx, v1.1 and v1.2) and the JSON of `hfutils` give
each member's offset and size. The shard list of wids gives a number of samples and of bytes, and
no offsets: it confirms, and no more. No format gives a member's time, so that an index never
stands for the headers: it only says where they are.
"""

import json
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlparse

from dataproc_assets.storage.tar_headers import BLOCK, readable
from dataproc_assets.storage.tar_index import TarMember

SUFFIXES = (".idx", ".json")
DALI_WIDTHS = {"v1.1": 3, "v1.2": 4}  # columns of a member: extension, offset, size, name
ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "\\": 92, '"': 34}


class BrokenIndexError(ValueError):
    """An index file that cannot be understood."""


@dataclass(frozen=True)
class IndexEntry:
    """What an index says of a member; `name` is null where it names the `extension` alone."""

    offset: int
    size: int
    name: str | None
    extension: str


@dataclass(frozen=True)
class ShardIndex:
    """What an index says of a shard: what it does not say is null."""

    entries: list[IndexEntry] | None = None
    samples: int | None = None
    size: int | None = None


def index_paths(shard: str) -> list[str]:
    """Where an index of a shard may lie: `000.idx`, `000.tar.idx`, `000.json`, `000.tar.json`."""
    stem = re.sub(r"\.[^./]*$", "", shard)
    return [f"{base}{suffix}" for suffix in SUFFIXES for base in (stem, shard)]


def parse_index(path: str, data: bytes, shard: str) -> ShardIndex:
    """The index of one shard from the file beside it. Raises BrokenIndexError."""
    if path.endswith(".idx"):
        return _parse_dali(data)
    value = _json(data)
    if "shardlist" in value:
        found = _wids(path, value, [shard]).get(shard)
        if found is None:
            raise BrokenIndexError(f"its shard list lacks {PurePosixPath(shard).name}")
        return found
    return _parse_hfutils(value)


def parse_wids(path: str, data: bytes, shards: list[str]) -> dict[str, ShardIndex]:
    """What a wids shard list at `path` says of the shards it names. Raises BrokenIndexError.

    A shard is named by its path from the list, or else by the name of a shard in its folder.
    """
    return _wids(path, _json(data), shards)


def misfit(index: ShardIndex, members: list[TarMember], size: int | None) -> str | None:
    """Why an index does not fit the shard that was walked; null where it does.

    Args:
        size: of the shard, in bytes; null where it is not to be compared.
    """
    if size is not None and index.size not in (None, size):
        return f"it says {index.size} bytes, and the shard has {size}"
    samples = count_samples([member.name for member in members])
    if index.samples not in (None, samples):
        return f"it says {index.samples} samples, and the shard has {samples}"
    return _entries_misfit(index.entries, members) if index.entries is not None else None


def count_samples(names: list[str]) -> int:
    """Samples as wids counts them: members in a row with one name up to its first dot."""
    count, last = 0, None
    for name in names:
        folder, slash, base = name.rpartition("/")
        stem, dot, _ = base.partition(".")
        key = f"{folder}{slash}{stem}"
        if dot and key != last:
            count, last = count + 1, key
    return count


def _entries_misfit(entries: list[IndexEntry], members: list[TarMember]) -> str | None:
    rest = {member.offset: member for member in members}
    for entry in entries:
        member = rest.pop(entry.offset, None)
        said = f"it says '{entry.name or entry.extension}', {entry.size} bytes at {entry.offset}"
        if member is None:
            return f"{said}, where the shard has no member"
        if member.size != entry.size or not _names(entry, member.name):
            return f"{said}, where the shard has '{member.name}', {member.size} bytes"
    lost = [member.name for member in rest.values() if not _hidden(member.name)]
    return f"it lacks {len(lost)} members, the first of them '{lost[0]}'" if lost else None


def _names(entry: IndexEntry, name: str) -> bool:
    """Whether an entry is of a member; GNU tar, which wds2idx reads, writes bytes as octals."""
    said, is_said = (entry.name, name) if entry.name else (entry.extension, _split(name)[1])
    return is_said in (said, _unescaped(said))


def _unescaped(text: str) -> str:
    def byte(match: re.Match[bytes]) -> bytes:
        code = match[1].decode()
        return bytes([int(code, 8) & 255 if code.isdigit() else ESCAPES[code]])

    return readable(re.sub(rb'\\([0-7]{3}|[abtnvfr\\"])', byte, text.encode()))


def _split(name: str) -> tuple[str, str]:
    """A name before and behind its first dot, as wds2idx splits it: without one, oddly."""
    dot = name.find(".", name.rfind("/") + 1)
    return name[:dot], name[dot + 1 :]


def _hidden(name: str) -> bool:
    """Whether wds2idx leaves a member out."""
    base = _split(name)[0]
    return not base or base.endswith("/")


def _parse_dali(data: bytes) -> ShardIndex:
    """`v1.2 SAMPLES`, then a line a sample with extension, offset, size and name of each file."""
    first, *lines = data.rstrip(b"\n").split(b"\n")
    try:
        version, samples = first.split()
        width, count = DALI_WIDTHS[readable(version)], int(samples)
    except (ValueError, KeyError):
        known = " or ".join(f"'{version} SAMPLES'" for version in DALI_WIDTHS)
        raise BrokenIndexError(f"its first line is not {known}") from None
    if len(lines) != count:
        raise BrokenIndexError(f"it has {len(lines)} of {count} samples")
    entries = []
    for number, line in enumerate(lines, 2):
        words = line.split()
        try:
            for start in range(0, len(words), width):
                extension, offset, size, *name = words[start : start + width]
                said = readable(name[0]) if width == DALI_WIDTHS["v1.2"] else None
                entries.append(IndexEntry(int(offset), int(size), said, readable(extension)))
        except (ValueError, IndexError):
            raise BrokenIndexError(f"line {number} is cut, or has a name with blanks") from None
    if any(entry.offset % BLOCK or min(entry.offset, entry.size) < 0 for entry in entries):
        raise BrokenIndexError(f"it has an offset that is no multiple of {BLOCK}")
    return ShardIndex(entries)


def _parse_hfutils(value: Any) -> ShardIndex:
    """`{"filesize": …, "files": {name: {"offset": …, "size": …}}}`."""
    files = value.get("files")
    try:
        entries = [
            IndexEntry(int(file["offset"]), int(file["size"]), name, _split(name)[1])
            for name, file in files.items()
        ]
    except (AttributeError, TypeError, KeyError, ValueError):
        raise BrokenIndexError("it is neither an index of hfutils nor a wids list") from None
    size = value.get("filesize")
    return ShardIndex(entries, size=size if isinstance(size, int) else None)


def _wids(path: str, value: dict[str, Any], shards: list[str]) -> dict[str, ShardIndex]:
    rows = value.get("shardlist")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BrokenIndexError("it is no shard list of wids")
    folder, known = PurePosixPath(path).parent, set(shards)
    found = {}
    for row in rows:
        url, samples = row.get("url"), row.get("nsamples")
        size = row.get("filesize")
        if not isinstance(url, str) or not isinstance(samples, int):
            raise BrokenIndexError("a shard in its list has no url or no nsamples")
        below = PurePosixPath(unquote(urlparse(url).path))
        for place in (str(folder / below), str(folder / below.name)):
            if place in known:
                size = size if isinstance(size, int) else None
                found.setdefault(place, ShardIndex(samples=samples, size=size))
    return found


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise BrokenIndexError("it is no JSON") from None
    if not isinstance(value, dict):
        raise BrokenIndexError("it is neither an index of hfutils nor a wids list")
    return value
