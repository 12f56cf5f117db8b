from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dataproc_assets.storage.layout import vectors_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.segments import (
    KEYS_SCHEMA,
    delete_segment,
    open_vectors,
    read_keys,
    segment_names,
    verify_segment,
    write_segment,
)
from dataproc_assets.storage.tables import ChangedFileError

VECTORS = np.arange(12, dtype=np.int16).reshape(3, 4)
KEYS = pl.DataFrame(
    {"image_key": ["a/1", "a/2", "a/3"], "version": "v", "part": "p", "part_version": "w"},
    schema=KEYS_SCHEMA,
)


def test_what_was_written_is_read_and_mapped(tmp_path: Path):
    store = ObjectStore(str(tmp_path))
    name = write_segment(store, "segments/a", KEYS, VECTORS)
    assert segment_names(store, "segments/a") == [name]
    vectors = open_vectors(store, f"segments/a/{name}")
    assert isinstance(vectors, np.memmap)
    assert np.array_equal(vectors, VECTORS)
    assert read_keys(store, f"segments/a/{name}").equals(KEYS)
    verify_segment(store, f"segments/a/{name}", vectors)


def test_the_name_follows_the_content(tmp_path: Path):
    store = ObjectStore(str(tmp_path))
    names = [write_segment(store, "s", KEYS, vectors) for vectors in (VECTORS, VECTORS + 1)]
    names += [write_segment(store, "s", KEYS.reverse(), VECTORS)]
    assert len(set(names)) == 3
    assert write_segment(store, "s", KEYS, VECTORS) == names[0]


def test_a_changed_file_is_refused(tmp_path: Path):
    store = ObjectStore(str(tmp_path))
    segment = f"s/{write_segment(store, 's', KEYS, VECTORS)}"
    path = tmp_path / vectors_path(segment)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ChangedFileError, match=path.name):
        verify_segment(store, segment, open_vectors(store, segment))


def test_a_segment_without_its_mark_is_none(tmp_path: Path):
    store = ObjectStore(str(tmp_path))
    segment = f"s/{write_segment(store, 's', KEYS, VECTORS)}"
    delete_segment(store, segment)
    assert segment_names(store, "s") == []
    assert store.list("s").is_empty()


def test_a_bucket_gives_what_a_folder_gives(both: tuple[ObjectStore, ObjectStore]):
    names = [write_segment(store, "s", KEYS, VECTORS) for store in both]
    assert names[0] == names[1]
    for store in both:
        vectors = open_vectors(store, f"s/{names[0]}")
        assert isinstance(vectors, np.memmap) and np.array_equal(vectors, VECTORS)
        verify_segment(store, f"s/{names[0]}", vectors)
