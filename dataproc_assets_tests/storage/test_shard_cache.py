import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.shard_cache import ShardCache, shard_key
from dataproc_assets.storage.tar_index import TarIndex, TarMember

FOUND = TarIndex(
    [TarMember("d/1.webp", 512, 3, 7), TarMember("日本.webp", 1536, 0, -(2**80))],
    [("link.webp", "a symbolic link holds no bytes")],
    "truncated in member '2.webp'",
)
NOTES = [("0.idx", "does not fit 0.tar")]
KEY = shard_key("s3://b/0.tar", "v1", {})
TEXT = st.text(st.characters(codec="utf-8"))


def test_what_is_kept_comes_back(store):
    cache = ShardCache(store, "units/shards/x")
    assert cache.read(KEY) is None
    cache.write(KEY, FOUND, NOTES)
    again = ShardCache(store, "units/shards/x")
    assert again.read(KEY) == (FOUND, NOTES)
    assert again.read(shard_key("s3://b/1.tar", "v1", {})) is None


@given(
    st.lists(st.builds(TarMember, TEXT, st.integers(0, 2**50), st.integers(0), st.integers())),
    st.lists(st.tuples(TEXT, TEXT), max_size=3),
    st.none() | TEXT,
)
@settings(max_examples=40)
def test_whatever_is_kept_comes_back(tmp_path_factory, members, notes, reason):
    members = [m for m in members if m.size < 2**63]
    store = ObjectStore(str(tmp_path_factory.getbasetemp() / "kept"))
    found = TarIndex(members, notes, reason)
    ShardCache(store, "x").write(KEY, found, notes)
    assert ShardCache(store, "x").read(KEY) == (found, notes)


def test_a_shard_has_another_key_when_anything_of_it_changes():
    keys = {
        shard_key("s3://b/0.tar", "v1", {}),
        shard_key("s3://b/1.tar", "v1", {}),
        shard_key("s3://b/0.tar", "v2", {}),
        shard_key("s3://b/0.tar", "v1", {"0.idx": "a"}),
        shard_key("s3://b/0.tar", "v1", {"0.idx": "b"}),
    }
    assert len(keys) == 5


DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-9],
    "no parquet": lambda data: b"x" * 200,
    "a row less": lambda data: to_parquet(from_parquet(data)[1:]),
    "no end": lambda data: to_parquet(from_parquet(data)[:-1]),
    "no rows": lambda data: to_parquet(from_parquet(data)[:0]),
    "another offset": lambda data: edited(data, offset=pl.col("offset") + 512),
    "another reason": lambda data: edited(data, reason=pl.lit("fine")),
    "another column": lambda data: edited(data, time=pl.col("mtime")),
}


def edited(data: bytes, **columns: pl.Expr) -> bytes:
    return to_parquet(from_parquet(data).with_columns(**columns))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_none(tmp_path, damage):
    store = ObjectStore(str(tmp_path))
    ShardCache(store, "x").write(KEY, FOUND, NOTES)
    [path] = store.list("x")["path"]
    store.put(path, DAMAGES[damage](store.get(path)))
    assert ShardCache(store, "x").read(KEY) is None


def test_the_file_of_another_shard_is_none(tmp_path):
    store, other = ObjectStore(str(tmp_path)), shard_key("s3://b/1.tar", "v1", {})
    ShardCache(store, "x").write(KEY, FOUND, NOTES)
    [path] = store.list("x")["path"]
    store.put(path.replace(KEY, other), store.get(path))
    assert ShardCache(store, "x").read(other) is None


def test_a_file_that_goes_while_it_is_wanted_is_none(tmp_path):
    store = ObjectStore(str(tmp_path))
    ShardCache(store, "x").write(KEY, FOUND, NOTES)
    cache = ShardCache(store, "x")
    cache.sweep({KEY})
    [path] = store.list("x")["path"]
    store.delete(path)
    assert cache.read(KEY) is None


def test_two_writes_are_the_same_bytes(both):
    for store in both:
        ShardCache(store, "x").write(KEY, FOUND, NOTES)
    files = [[store.get(path) for path in store.list("x")["path"]] for store in both]
    assert files[0] == files[1]


def test_sweeping_leaves_the_named_shards(store):
    cache = ShardCache(store, "units/shards/x")
    keys = [shard_key(f"s3://b/{number}.tar", "v1", {}) for number in range(3)]
    for key in keys:
        cache.write(key, FOUND, NOTES)
    store.put("units/shards/xy/other", b"of another source")
    again = ShardCache(store, "units/shards/x")
    again.sweep({keys[1]})
    assert [again.read(key) is None for key in keys] == [True, False, True]
    assert store.exists("units/shards/xy/other")
