"""Tars as crawlers write them, good and broken."""

import io
import json
import tarfile
from collections.abc import Mapping

from dataproc_assets.config.intake import ShardConfig
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.shards import ShardReader

SHARDS = ShardConfig(
    at_once=4,
    requests=8,
    header_bytes=8_192,
    small_bytes=65_536,
    block_bytes=1 << 20,
    index_bytes=1 << 26,
    index_files=16,
)


def tar_bytes(
    files: Mapping[str, bytes], *, kind: int = tarfile.PAX_FORMAT, mtime: int = 7
) -> bytes:
    """A tar of regular files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), mtime
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tar_with_links() -> bytes:
    """A tar with one file, and a folder, links, a pipe and a device around it."""
    buffer = io.BytesIO()
    kinds = (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE)
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number, kind in enumerate(kinds):
            info = tarfile.TarInfo(f"{number}.jpg")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
            if number == 2:
                file = tarfile.TarInfo("real.jpg")
                file.size = 4
                tar.addfile(file, io.BytesIO(b"real"))
    return buffer.getvalue()


def shard_config(**changes: int) -> ShardConfig:
    """How shards are looked into, with changes."""
    return SHARDS.model_copy(update=changes)


def plain_reader() -> ShardReader:
    """A reader that remembers nothing."""
    return ShardReader(shard_config())


class CountingStore(ObjectStore):
    """A store that counts the ranges and the objects asked of it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.ranges: list[tuple[str, int, int]] = []
        self.objects: list[str] = []

    @property
    def bytes(self) -> int:
        """The bytes of all ranges."""
        return sum(length for _, _, length in self.ranges)

    def get_range(self, path: str, offset: int, length: int) -> "bytes":
        """Count a range, and read it."""
        self.ranges.append((path, offset, length))
        return super().get_range(path, offset, length)

    def get(self, path: str, max_bytes: int | None = None) -> "bytes":
        """Count an object, and read it."""
        self.objects.append(path)
        return super().get(path, max_bytes)


def dali_index(data: bytes, version: str = "v1.2") -> bytes:
    """The index that DALI's wds2idx writes for a tar, each sample one line."""
    samples: dict[str, list[str]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            stem, _, extension = member.name.partition(".")
            name = f" {member.name}" if version == "v1.2" else ""
            entry = f"{extension} {member.offset_data} {member.size}{name}"
            samples.setdefault(stem, []).append(entry)
    lines = [f"{version} {len(samples)}", *(" ".join(parts) for parts in samples.values())]
    return "".join(f"{line}\n" for line in lines).encode()


def hfutils_index(data: bytes) -> bytes:
    """The index that `hfutils.index` writes for a tar."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = {m.name: {"offset": m.offset_data, "size": m.size, "sha256": ""} for m in tar}
    return json.dumps({"filesize": len(data), "hash": "", "hash_lfs": "", "files": files}).encode()


def wids_list(shards: Mapping[str, tuple[int, int]]) -> bytes:
    """The list that `wids-index create` writes: of each shard its samples and bytes."""
    rows = [
        {"url": url, "md5sum": "", "nsamples": samples, "filesize": size}
        for url, (samples, size) in shards.items()
    ]
    kind = {"__kind__": "wids-shard-index-v1", "wids_version": 1}
    return json.dumps({**kind, "shardlist": rows, "name": "test"}).encode()
