import json
import subprocess
import sys
from dataclasses import asdict
from threading import Thread

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.storage.key_parts import split
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import (
    MANIFEST,
    ChangedFileError,
    TableWriter,
    read_part,
    read_table,
    table_info,
    write_table,
)
from dataproc_assets_tests.storage.frames import many
from dataproc_assets_tests.stores import contents

PATH = "stages/merged/pixiv_merged.parquet"
ROWS = pl.DataFrame({"image_key": ["b", "a", "c"], "n": [2, 1, None]})


def write(store, rows=ROWS, **options):
    return write_table(store, PATH, rows, key="image_key", **options)


def files(store):
    names = store.list(PATH)["path"].str.strip_prefix(f"{PATH}/")
    return [name for name in names if name != MANIFEST]


def test_a_table_comes_back_sorted_by_its_key_with_what_it_was_made_from(store):
    assert table_info(store, PATH) is None
    info = write(store, ROWS.lazy(), inputs={"records/pixiv": "abc"}, code_version="1+f")
    assert read_table(store, PATH).collect().rows() == [("a", 1), ("b", 2), ("c", None)]
    assert table_info(store, PATH) == info
    assert (info.rows, info.key, info.inputs) == (3, ["image_key"], {"records/pixiv": "abc"})
    assert (info.code_version, info.columns) == ("1+f", {"image_key": "String", "n": "Int64"})
    assert info.bytes == sum(store.size(f"{PATH}/{name}") for name in files(store))


def test_a_table_that_was_never_made_names_itself(store):
    with pytest.raises(FileNotFoundError, match=r"pixiv_merged\.parquet: there is no such table"):
        read_table(store, PATH)


def test_an_empty_table_keeps_its_columns(store):
    write(store, ROWS.clear())
    assert read_table(store, PATH).collect().schema == ROWS.schema
    write(store, ROWS.clear(), buckets=4)
    assert read_table(store, PATH).collect().schema == ROWS.schema


@pytest.mark.parametrize("buckets", [1, 4])
def test_equal_rows_are_equal_bytes_on_a_folder_and_on_s3(both, buckets):
    folder, s3 = both
    one = write(folder, many(100), buckets=buckets, inputs={"x": "y"})
    other = write(
        s3, many(100).sample(fraction=1, shuffle=True, seed=1), buckets=buckets, inputs={"x": "y"}
    )
    assert one == other
    assert contents(folder) == contents(s3)


def test_a_file_that_was_edited_or_cut_is_refused_by_name(store):
    name = write(store).buckets[0].file
    data = store.get(f"{PATH}/{name}")
    for other in (data[:-1], data[:9] + bytes([data[9] ^ 1]) + data[10:]):
        store.put(f"{PATH}/{name}", other)
        with pytest.raises(
            ChangedFileError, match=f"{name}: was changed since it was written; del"
        ):
            read_table(store, PATH)


def test_a_lost_file_is_named_and_written_again(store):
    name = write(store).buckets[0].file
    store.delete(f"{PATH}/{name}")
    with pytest.raises(ChangedFileError, match=f"{name}: is missing"):
        read_table(store, PATH)
    write(store)
    assert read_table(store, PATH).collect().height == 3


def test_a_broken_manifest_is_refused_by_name(store):
    info = asdict(write(store))
    for text in ("{", "[]", json.dumps({**info, "more": 1}), json.dumps({"rows": 1})):
        store.put(f"{PATH}/{MANIFEST}", text.encode())
        with pytest.raises(ChangedFileError, match=r"manifest\.json: is no manifest of a table"):
            read_table(store, PATH)


def test_a_new_version_replaces_the_old_and_sweeps_its_files(store):
    old = write(store).buckets[0].file
    store.put(f"{PATH}/bucket-00007-{'0' * 16}.parquet", b"left by a writer that was ended")
    new = write(store, ROWS.head(1))
    assert files(store) == [new.buckets[0].file]
    assert old not in files(store)
    assert read_table(store, PATH).collect().rows() == [("b", 2)]


def test_unchanged_rows_write_nothing(store):
    write(store, many(200), buckets=8)
    before = store.list()
    write(store, many(200).reverse(), buckets=8)
    assert_frame_equal(store.list(), before)


def test_only_the_bucket_that_changed_is_written(store):
    old = write(store, many(200), buckets=8)
    before = dict(store.list().select("path", "modified").iter_rows())
    changed = pl.when(pl.col("image_key") == "pixiv/7_p0").then(99.0).otherwise("score")
    new = write(store, many(200).with_columns(score=changed), buckets=8)
    same = [bucket for bucket in new.buckets if bucket in old.buckets]
    assert len(same) == 7
    after = dict(store.list().select("path", "modified").iter_rows())
    assert all(after[f"{PATH}/{b.file}"] == before[f"{PATH}/{b.file}"] for b in same)


def test_changed_inputs_alone_change_the_manifest_alone(store):
    old = write(store, inputs={"x": "1"})
    new = write(store, inputs={"x": "2"})
    assert new.inputs == {"x": "2"}
    assert (new.digest, new.buckets) == (old.digest, old.buckets)
    assert table_info(store, PATH) == new


@settings(max_examples=20)
@given(count=st.integers(0, 60), buckets=st.integers(2, 9))
def test_buckets_hold_the_same_rows_each_by_its_key(tmp_path_factory, count, buckets):
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    info = write(store, many(count), buckets=buckets)
    assert len(info.buckets) == buckets
    assert sum(bucket.rows for bucket in info.buckets) == count
    found = read_table(store, PATH).collect()
    assert_frame_equal(found.sort("image_key"), many(count).sort("image_key"))


def test_a_key_stays_in_its_bucket(tmp_path):
    # another hash would write every bucket of a large lake again
    rows = pl.DataFrame({"image_key": ["pixiv/1_p0", "danbooru/2"]})
    info = write(ObjectStore(str(tmp_path)), rows, buckets=64)
    assert [index for index, bucket in enumerate(info.buckets) if bucket.rows] == [11, 63]


WRITER = """
import os, sys
import polars as pl
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import MANIFEST, write_table

class Ended(ObjectStore):
    def put(self, path, data):
        if path.endswith(MANIFEST):
            os._exit(9)
        super().put(path, data)

rows = pl.DataFrame({"image_key": ["x", "y"], "n": [1, 2]})
write_table(Ended(sys.argv[1]), sys.argv[2], rows, key="image_key", buckets=2)
"""


@pytest.mark.parametrize(("buckets", "parts"), [(1, 1), (4, 1), (4, 2), (4, 4), (64, 16)])
def test_a_table_written_part_by_part_is_the_same_in_any_order(tmp_path, buckets, parts):
    rows = pl.DataFrame({"image_key": [f"k{n}" for n in range(200)]}).with_row_index("n")
    whole, pieces = ObjectStore(str(tmp_path / "whole")), ObjectStore(str(tmp_path / "pieces"))
    info = write(whole, rows, buckets=buckets, inputs={"a": "1"}, code_version="1")
    writer = TableWriter(pieces, PATH, key="image_key", buckets=buckets)
    for part, piece in reversed(list(enumerate(split(rows, "image_key", parts)))):
        writer.add(piece, parts, part)
    assert writer.finish({"a": "1"}, "1") == info
    assert contents(pieces) == contents(whole)
    for part, piece in enumerate(split(rows, "image_key", parts)):
        found = read_part(pieces, PATH, parts, part).collect()
        assert_frame_equal(found.sort("n"), piece.sort("n"))


def test_a_table_of_which_a_part_is_missing_is_not_finished(store):
    write(store, buckets=4)
    before = read_table(store, PATH).collect()
    writer = TableWriter(store, PATH, key="image_key", buckets=4)
    writer.add(ROWS.clear(), 2, 1)
    with pytest.raises(ValueError, match=r"pixiv_merged\.parquet: 2 of 4 buckets were written"):
        writer.finish()
    assert_frame_equal(read_table(store, PATH).collect(), before)


def test_a_part_of_a_changed_or_missing_table_is_refused(store):
    with pytest.raises(FileNotFoundError, match="make its asset first"):
        read_part(store, PATH, 2, 0)
    write(store, buckets=2)
    changed = next(name for name in files(store) if name.startswith("bucket-00001"))
    store.put(f"{PATH}/{changed}", b"edited")
    assert read_part(store, PATH, 2, 0).collect().height <= ROWS.height
    with pytest.raises(ChangedFileError, match=changed):
        read_part(store, PATH, 2, 1)


def test_a_writer_ended_before_the_manifest_leaves_the_old_table(store):
    write(store, buckets=2)
    before = read_table(store, PATH).collect()
    assert subprocess.run([sys.executable, "-c", WRITER, store.url, PATH]).returncode == 9
    assert len(files(store)) > 2
    assert_frame_equal(read_table(store, PATH).collect(), before)
    write(store, buckets=2)
    assert len(files(store)) == 2


def test_a_reader_beside_a_writer_sees_one_table_or_the_other(store):
    write(store, many(50))
    seen, wrong = set(), []

    def read() -> None:
        try:
            for _ in range(60):
                seen.add(read_table(store, PATH).collect().height)
        except Exception as error:
            wrong.append(error)

    reader = Thread(target=read)
    reader.start()
    for number in range(30):
        write(store, many(50 + number % 2 * 10))
    reader.join()
    assert not wrong
    assert seen <= {50, 60}
