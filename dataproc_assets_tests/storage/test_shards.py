import gzip
import io
import tarfile
import threading

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.shard_cache import ShardCache
from dataproc_assets.storage.shards import BUSY, GONE, ShardReader, ShardsFound, unread
from dataproc_assets_tests.storage.shards import (
    CountingStore,
    dali_index,
    hfutils_index,
    plain_reader,
    shard_config,
    tar_bytes,
    wids_list,
)

FILES = {"1.webp": b"one", "1.json": b"{}", "2.webp": b"two" * 500}
ROWS = {("1.webp", 3, "3-7"), ("1.json", 2, "2-7"), ("2.webp", 1500, "1500-7")}
NAMES = st.text(  # without blanks, which DALI's index cannot hold
    st.characters(codec="utf-8", exclude_characters="\0/ \n\t\r\v\f"), min_size=1, max_size=130
)
MEMBERS = st.dictionaries(
    NAMES.map(lambda stem: f"{stem}.webp"),
    st.tuples(st.sampled_from([0, 1, 512, 700]), st.sampled_from([0, 7, 1_700_000_000.75])),
    max_size=6,
)


def look(store: ObjectStore, reader: ShardReader | None = None) -> ShardsFound:
    listing = store.list("x")
    is_shard = pl.col("path").str.ends_with(".tar")
    reader = reader or plain_reader()
    return reader.read(store, listing.filter(is_shard), listing.filter(~is_shard))


def fill(store: ObjectStore, objects: dict[str, bytes]) -> None:
    for name, data in objects.items():
        store.put(f"x/{name}", data)


def rows(found: ShardsFound) -> set[tuple[str, int, str]]:
    return {
        (name, size, version)
        for shard in found.shards
        for name, _, size, version in shard.members.iter_rows()
    }


def content(store: ObjectStore, found: ShardsFound) -> dict[str, bytes]:
    return {
        name: read_address(store.uri(shard.path), offset, size)
        for shard in found.shards
        for name, offset, size, _ in shard.members.iter_rows()
    }


def packed(members: dict[str, tuple[int, float]], kind: int, padding: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind, encoding="utf-8") as tar:
        for name, (size, mtime) in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = size, mtime  # type: ignore[assignment]
            tar.addfile(info, io.BytesIO((name.encode() * size)[:size]))
    return buffer.getvalue() + bytes(padding)


def test_members_of_all_shards_come_in_order_whatever_is_done_at_once(store):
    fill(store, {f"{n:02}.tar": tar_bytes({f"{n}.webp": b"1" * n}) for n in range(12)})
    one, many = (look(store, ShardReader(shard_config(at_once=count))) for count in (1, 8))
    assert [shard.path for shard in many.shards] == [f"x/{n:02}.tar" for n in range(12)]
    frames = zip(one.shards, many.shards, strict=True)
    assert all(left.members.equals(right.members) for left, right in frames)
    assert content(store, many) == {f"{n}.webp": b"1" * n for n in range(12)}
    assert many.ignored == one.ignored == []


@given(MEMBERS, st.randoms(use_true_random=False), st.integers(0, 3), st.booleans())
@settings(max_examples=40)
def test_repacking_and_indexes_change_no_row(tmp_path_factory, members, chance, blocks, is_gnu):
    """Another order, padding, format of fitting names, and an index: the same rows and bytes."""
    store = ObjectStore(str(tmp_path_factory.mktemp("repacked")))
    order = list(members)
    chance.shuffle(order)
    whole = {name: (size, int(mtime)) for name, (size, mtime) in members.items()}
    first = packed(members, tarfile.PAX_FORMAT, 0)
    again = {name: (whole if is_gnu else members)[name] for name in order}
    second = packed(again, tarfile.GNU_FORMAT if is_gnu else tarfile.PAX_FORMAT, 512 * blocks)
    found = []
    for data in (first, second):
        for index in ({}, {"0.idx": dali_index(data)}, {"0.json": hfutils_index(data)}):
            for path in store.list("x")["path"]:
                store.delete(path)
            fill(store, {"0.tar": data, **index})
            found.append(look(store))
            assert found[-1].ignored == []
    expected = {(name, size, f"{size}-{mtime}") for name, (size, mtime) in whole.items()}
    assert all(rows(each) == expected for each in found)
    for each in found[-3:]:
        assert content(store, each) == {n: (n.encode() * s)[:s] for n, (s, _) in whole.items()}


def test_wrong_shards_give_their_reasons_beside_good_ones(store):
    good = tar_bytes(FILES)
    cut, link = tar_bytes({"3.webp": b"3" * 999})[:900], tarfile.TarInfo("4.webp")
    link.type, link.linkname = tarfile.SYMTYPE, "1.webp"
    linked = link.tobuf() + bytes(1024)
    fill(store, {"0.tar": good, "1.tar": cut, "2.tar": gzip.compress(good), "3.tar": linked})
    found = look(store)
    assert rows(found) == ROWS
    assert dict(found.ignored) == {
        store.uri("x/1.tar"): "truncated in member '3.webp'",
        store.uri("x/2.tar"): "not a readable tar: is compressed with gzip, so no member can be "
        "read alone; `gunzip` it and upload the .tar",
        f"{store.uri('x/3.tar')}:4.webp": "a symbolic link holds no bytes",
    }


@pytest.mark.parametrize(
    ("path", "is_tar"),
    [("a/0.tar.gz", True), ("0.TGZ", True), ("0.tar.zst", True), ("0.gz", False)],
)
def test_a_compressed_tar_is_told_from_other_files(path, is_tar):
    assert ("compressed tar" in unread(path)) == is_tar
    assert ("matches no pattern" in unread(path)) != is_tar


def test_an_index_is_no_junk_and_saves_the_bytes_between_headers(tmp_path):
    store = CountingStore(str(tmp_path))
    files = {f"{n}.webp": bytes(100_000) for n in range(50)}
    data = tar_bytes(files, kind=tarfile.GNU_FORMAT)
    fill(store, {"0.tar": data, "0.tar.idx": dali_index(data), "0.json": hfutils_index(data)})
    found = look(store)
    assert found.indexes == {"x/0.tar.idx", "x/0.json"}
    assert (len(rows(found)), found.ignored) == (50, [])
    assert len(store.ranges) == 51
    assert store.bytes == 50 * 512 + 5_120  # with what fills the tar up


@pytest.mark.parametrize(
    ("name", "index", "why"),
    [
        ("0.idx", b"v9", "is no index of 0.tar that can be used: its first line is not"),
        ("0.json", b"{}", "is no index of 0.tar that can be used: it is neither"),
        (
            "0.json",
            hfutils_index(tar_bytes({"9.webp": b"9"})),
            "does not fit 0.tar: it says '9.webp', 1 by",
        ),
        ("0.idx", b"v1.2 1\nwebp 9728 9 9.webp\n", "does not fit 0.tar: it says '9.webp', 9 bytes"),
        ("0.idx", b"v1.1 1\nwebp 512 3\n", "does not fit 0.tar: it lacks 2 members"),
        ("0.idx", b"v1.1 1\nwebp 99999999488 3\n", "does not fit 0.tar: it says 'webp', 3 bytes"),
        ("0.json", wids_list({"0.tar": (9, 10240)}), "does not fit 0.tar: it says 9 samples"),
    ],
)
def test_a_stale_or_broken_index_is_noted_and_the_headers_count(store, name, index, why):
    fill(store, {"0.tar": tar_bytes(FILES), name: index})
    found = look(store)
    assert rows(found) == ROWS
    assert found.indexes == {f"x/{name}"}
    [(place, reason)] = found.ignored
    assert place == store.uri(f"x/{name}")
    assert reason.startswith(why)


def test_an_index_that_is_too_large_is_not_read(store):
    fill(store, {"0.tar": tar_bytes(FILES), "0.idx": b"v1.2 1\n" + b"x" * 600})
    found = look(store, ShardReader(shard_config(index_bytes=512)))
    assert rows(found) == ROWS
    assert "it has 607 bytes, more than crawl.shards.index_bytes (512)" in found.ignored[0][1]


def test_a_wids_list_beside_shards_confirms_their_samples(store):
    data = tar_bytes(FILES)
    listed = wids_list({"0.tar": (2, len(data)), "1.tar": (3, len(data)), "gone.tar": (1, 1)})
    fill(store, {"0.tar": data, "1.tar": data, "shardindex.json": listed, "post.json": b"{}"})
    found = look(store)
    assert found.indexes == {"x/shardindex.json"}
    why = "it says 3 samples, and the shard has 2; the shard's own headers count"
    assert found.ignored == [(store.uri("x/shardindex.json"), f"does not fit 1.tar: {why}")]


def test_many_json_files_beside_shards_are_not_all_read_for_lists(tmp_path):
    store = CountingStore(str(tmp_path))
    fill(store, {"0.tar": tar_bytes(FILES), **{f"post{n}.json": b"{}" for n in range(9)}})
    assert look(store, ShardReader(shard_config(index_files=8))).indexes == set()
    assert store.objects == []


def cached(store: ObjectStore) -> ShardReader:
    return ShardReader(shard_config(), ShardCache(store, "units/shards/x"))


def test_an_unchanged_shard_is_never_walked_again(tmp_path):
    lake, store = ObjectStore(str(tmp_path / "lake")), CountingStore(str(tmp_path / "crawl"))
    data = tar_bytes(FILES)
    fill(store, {"0.tar": data, "1.tar": data[:900], "0.idx": dali_index(data), "1.idx": b"v9"})
    first = look(store, cached(lake))
    assert len(first.ignored) == 2
    store.ranges.clear()
    store.objects.clear()
    again = look(store, cached(lake))
    assert (store.ranges, store.objects) == ([], [])
    assert rows(again) == rows(first)
    assert (again.ignored, again.indexes) == (first.ignored, first.indexes)


def test_a_changed_shard_or_index_alone_is_walked_again(tmp_path):
    lake, store = ObjectStore(str(tmp_path / "lake")), CountingStore(str(tmp_path / "crawl"))
    fill(store, {f"{n}.tar": tar_bytes(FILES) for n in range(3)})
    look(store, cached(lake))
    store.ranges.clear()
    fill(store, {"1.tar": tar_bytes({"9.webp": b"new"}), "2.idx": b"v9"})
    found = look(store, cached(lake))
    assert {path for path, _, _ in store.ranges} == {"x/1.tar", "x/2.tar"}
    assert rows(found) == ROWS | {("9.webp", 3, "3-7")}
    assert len(lake.list("units/shards/x")) == 3


def test_a_lost_or_damaged_file_of_the_cache_means_a_walk_and_no_more(tmp_path):
    lake, store = ObjectStore(str(tmp_path / "lake")), CountingStore(str(tmp_path / "crawl"))
    fill(store, {f"{n}.tar": tar_bytes(FILES) for n in range(3)})
    look(store, cached(lake))
    kept = {path: lake.get(path) for path in lake.list("units/shards/x")["path"]}
    first, second, _ = kept
    lake.delete(first)
    lake.put(second, kept[second][:-1])
    store.ranges.clear()
    assert rows(look(store, cached(lake))) == ROWS
    assert len({path for path, _, _ in store.ranges}) == 2
    assert {path: lake.get(path) for path in kept} == kept


def test_the_cache_holds_no_shard_that_is_gone(tmp_path):
    lake, store = ObjectStore(str(tmp_path / "lake")), ObjectStore(str(tmp_path / "crawl"))
    for number in range(5):
        fill(store, {"0.tar": tar_bytes({f"{number}.webp": b"1"}), f"{number}.tar": tar_bytes({})})
        look(store, cached(lake))
    for number in range(1, 5):
        store.delete(f"x/{number}.tar")
    look(store, cached(lake))
    assert len(lake.list("units/shards/x")) == 1


class BusyStore(ObjectStore):
    """A store with a shard that another one writes whenever it is read."""

    def __init__(self, url: str, versions: list[bytes]) -> None:
        super().__init__(url)
        self._versions, self._lock = versions, threading.Lock()

    def get_range(self, path: str, offset: int, length: int) -> bytes:
        data = super().get_range(path, offset, length)
        with self._lock:
            if self._versions:
                self.put(path, self._versions.pop(0))
        return data


def test_a_shard_that_changes_once_while_it_is_read_is_read_anew(tmp_path):
    lake = ObjectStore(str(tmp_path / "lake"))
    store = BusyStore(str(tmp_path / "crawl"), [tar_bytes(FILES)])
    fill(store, {"0.tar": tar_bytes({"9.webp": b"old" * 9000})})
    found = look(store, cached(lake))
    assert (rows(found), found.ignored) == (ROWS, [])
    assert rows(look(store, cached(lake))) == ROWS
    assert len(lake.list("units/shards/x")) == 1


def test_a_shard_that_keeps_changing_has_its_reason_and_is_not_cached(tmp_path):
    lake = ObjectStore(str(tmp_path / "lake"))
    versions = [tar_bytes({f"{n}.webp": b"x" * n}) for n in range(9)]
    store = BusyStore(str(tmp_path / "crawl"), versions)
    fill(store, {"0.tar": tar_bytes(FILES)})
    assert look(store, cached(lake)).ignored == [(store.uri("x/0.tar"), BUSY)]
    assert lake.list("units/shards/x").is_empty()


def test_a_shard_that_is_gone_since_it_was_listed_has_its_reason(store):
    fill(store, {"0.tar": tar_bytes(FILES), "1.tar": tar_bytes({"1.webp": b"1"})})
    listing = store.list("x")
    store.delete("x/0.tar")
    found = plain_reader().read(store, listing, listing.clear())
    assert rows(found) == {("1.webp", 1, "1-7")}
    assert found.ignored == [(store.uri("x/0.tar"), GONE)]


def test_a_store_that_refuses_is_raised_and_not_cached(s3_url, tmp_path, monkeypatch):
    lake, store = ObjectStore(str(tmp_path)), ObjectStore(s3_url)
    fill(store, {"0.tar": tar_bytes(FILES)})
    listing = store.list("x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ConnectionError, match=r"x/0\.tar: cannot be read"):
        cached(lake).read(ObjectStore(s3_url), listing, listing.clear())
    assert lake.list("units/shards/x").is_empty()


def test_no_shards_are_no_rows(store):
    assert look(store) == ShardsFound()


def test_a_listing_and_an_object_tell_the_same_version(store):
    fill(store, {"0.tar": b"1234"})
    assert store.list("x").select("size", "version").row(0) == store.stat("x/0.tar")
