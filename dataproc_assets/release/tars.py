"""Deterministic WebDataset tars: the same samples give the same bytes."""

import hashlib
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BLOCK = 512
RECORD = 10_240
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")


@dataclass(frozen=True)
class Sample:
    """One sample: members `{name}.{extension}` in the order given."""

    name: str
    parts: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Written:
    """A file that was written: its SHA-256 (hex), its bytes and its rows."""

    sha256: str
    size: int
    rows: int


def sample_name(image_id: str) -> str:
    """The name of an image's sample.

    A dot would end the key for a WebDataset reader and a slash would open a folder, so an id
    with either is an error, never a changed name.
    """
    if not NAME.fullmatch(image_id):
        raise ValueError(
            f"image_id {image_id!r} cannot name a sample: only letters, digits, '_' and '-' can"
        )
    return image_id


def shard_name(prefix: str, number: int) -> str:
    """`{prefix}-00000.tar`, numbered from 0 without a gap."""
    return f"{prefix}-{number:05d}.tar"


def shard_bounds(sizes: np.ndarray, bytes_max: int, images_max: int | None) -> list[int]:
    """Where shards begin and end: shard i holds the rows from bounds[i] up to bounds[i + 1].

    Rows are taken in order until the next would pass either limit; a row that is larger than
    `bytes_max` has a shard of its own.

    Args:
        sizes: bytes of each row, int64, in the order of the rows.
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    bounds = [0]
    while bounds[-1] < len(sizes):
        start = bounds[-1]
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + bytes_max, side="right"))
        if images_max is not None:
            stop = min(stop, start + images_max)
        bounds.append(max(stop, start + 1))
    return bounds


def write_tar(path: Path, samples: Iterable[Sample]) -> Written:
    """Write a ustar archive whose members have no owner, mode 0644 and time 0."""
    digest = hashlib.sha256()
    size = rows = 0
    with path.open("wb") as file:

        def write(data: bytes) -> None:
            nonlocal size
            file.write(data)
            digest.update(data)
            size += len(data)

        for sample in samples:
            rows += 1
            for extension, data in sample.parts:
                write(member_header(f"{sample.name}.{extension}", len(data)))
                write(data)
                write(bytes(-len(data) % BLOCK))
        write(bytes(2 * BLOCK))
        write(bytes(-size % RECORD))
    return Written(digest.hexdigest(), size, rows)


def member_header(name: str, size: int) -> bytes:
    """The BLOCK before the bytes of a member of `write_tar`; its name and size are all it tells."""
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
