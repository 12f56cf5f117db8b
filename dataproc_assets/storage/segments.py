"""Segments: the quantised embeddings of some metric parts, in a file that memory maps.

A segment is `{name}.vectors.npy`, int16 (n, d), and `{name}.keys.parquet` with the image_key,
version and part of each row, the done mark. Its name is the digest of both.
"""

import hashlib
import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.layout import keys_path, vectors_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.tables import ChangedFileError

NAME_LENGTH = 24
KEYS_SCHEMA = {
    "image_key": pl.String,
    "version": pl.String,
    "part": pl.String,
    "part_version": pl.String,
}


def write_segment(store: ObjectStore, folder: str, keys: pl.DataFrame, vectors: np.ndarray) -> str:
    """Write a segment, unless it is there; its name is what is returned.

    `keys` has the columns of `KEYS_SCHEMA`, one row a vector of `vectors`, int16 (n, d).
    """
    name = _digest(keys, vectors)
    if not store.exists(keys_path(f"{folder}/{name}")):
        data = BytesIO()
        np.save(data, vectors)
        store.put(vectors_path(f"{folder}/{name}"), data.getvalue())
        store.put(keys_path(f"{folder}/{name}"), to_parquet(keys))
    return name


def segment_names(store: ObjectStore, folder: str) -> list[str]:
    """The finished segments of a folder, sorted."""
    mark = keys_path("")
    paths = store.list(folder)["path"]
    return sorted(p.removeprefix(f"{folder}/").removesuffix(mark) for p in paths if mark in p)


def read_keys(store: ObjectStore, segment: str) -> pl.DataFrame:
    """Whose vectors a segment holds, in their order. Raises FileNotFoundError."""
    return from_parquet(store.get(keys_path(segment)))


def open_vectors(store: ObjectStore, segment: str) -> np.ndarray:
    """The vectors of a segment, int16 (n, d), mapped to memory; of a bucket, a local copy.

    Raises:
        FileNotFoundError: there is no such segment.
        ValueError: the file is no array.
    """
    path = vectors_path(segment)
    if not store.is_s3:
        return np.load(Path(store.uri(path)), mmap_mode="r", allow_pickle=False)
    with tempfile.NamedTemporaryFile(suffix=".npy") as copy:
        for piece in store.stream(path)[1]:
            copy.write(piece)
        copy.flush()
        # the mapping outlives the file's name, and its space is free when nobody maps it
        return np.load(copy.name, mmap_mode="r", allow_pickle=False)


def verify_segment(store: ObjectStore, segment: str, vectors: np.ndarray) -> None:
    """Raise ChangedFileError where a segment is not what its name says."""
    if _digest(read_keys(store, segment), vectors) != segment.rpartition("/")[2]:
        where = store.uri(vectors_path(segment))
        raise ChangedFileError(f"{where} is not what was written: delete the segment's files")


def delete_segment(store: ObjectStore, segment: str) -> None:
    """Remove a segment, its done mark first."""
    store.delete(keys_path(segment))
    store.delete(vectors_path(segment))


def _digest(keys: pl.DataFrame, vectors: np.ndarray) -> str:
    digest = hashlib.sha256(f"{frame_digest(keys)} {vectors.shape}".encode())
    digest.update(np.ascontiguousarray(vectors).data)
    return digest.hexdigest()[:NAME_LENGTH]
