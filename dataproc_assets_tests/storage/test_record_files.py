import io
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets.storage.record_files import GONE, SHORTER, read_files

FILES = {
    "name": pl.String,
    "uri": pl.String,
    "offset": pl.Int64,
    "length": pl.Int64,
    "size": pl.Int64,
}
READING = RecordFilesConfig(
    readers=4,
    ahead_bytes=1000,
    gap_bytes=8,
    span_bytes=100,
    stream_bytes=200,
    block_bytes=64,
    record_bytes=1000,
    file_bytes=1000,
    unit_files=10,
    unit_bytes=1000,
)


def whole(store: ObjectStore, path: str, size: int | None = None) -> tuple:
    size = store.size(path) if size is None else size
    return (path.rpartition("/")[2], store.uri(path), None, None, size)


def member(store: ObjectStore, path: str, name: str, offset: int, length: int) -> tuple:
    return (name, store.uri(path), offset, length, length)


def read(*files: tuple, **changes: int) -> list[tuple[str, str, bytes | str]]:
    frame = pl.DataFrame(list(files), schema=FILES, orient="row")
    found = read_files(frame, READING.model_copy(update=changes))
    return [(p, n, str(f) if isinstance(f, ValueError) else f.read()) for p, n, f in found]


def test_files_and_members_come_in_order_with_their_places(store):
    store.put("x/posts.jsonl", b"lines")
    store.put("x/s.tar", b"..{1}.....{22}..{}" + b"." * 90 + b"{far}")
    shard = store.uri("x/s.tar")
    assert read(
        whole(store, "x/posts.jsonl"),
        member(store, "x/s.tar", "1.json", 2, 3),
        member(store, "x/s.tar", "empty.json", 5, 0),
        member(store, "x/s.tar", "2.json", 10, 4),
        member(store, "x/s.tar", "3.json", 16, 2),
        member(store, "x/s.tar", "4.json", 108, 5),
    ) == [
        (store.uri("x/posts.jsonl"), "posts.jsonl", b"lines"),
        (f"{shard}:1.json", "1.json", b"{1}"),
        (f"{shard}:empty.json", "empty.json", b""),
        (f"{shard}:2.json", "2.json", b"{22}"),
        (f"{shard}:3.json", "3.json", b"{}"),
        (f"{shard}:4.json", "4.json", b"{far}"),
    ]


@pytest.mark.parametrize(
    "name", ["a b.json", "q\"u'o.json", "日本 画像.json", "a%20b+c&d=e#f.json"]
)
def test_any_name_that_was_listed_is_read(store, name):
    store.put(f"x/{name}", b"{}")
    (path,) = store.list("x")["path"]
    assert read(whole(store, path)) == [(store.uri(path), name, b"{}")]


def test_no_files_are_no_records():
    assert read() == []


def test_what_was_deleted_meanwhile_is_told_and_the_rest_is_read(store):
    for name in ("a.json", "b.json"):
        store.put(f"x/{name}", name.encode())
    files = [whole(store, f"x/{name}") for name in ("a.json", "b.json")]
    files.append(whole(store, "x/large.jsonl", size=500))
    store.delete("x/a.json")
    assert [content for *_, content in read(*files)] == [GONE, b"b.json", GONE]


def test_of_a_shard_that_was_cut_meanwhile_what_is_whole_is_read(store):
    store.put("s.tar", b"..{1}..{2}.")
    found = read(
        member(store, "s.tar", "1.json", 2, 3),
        member(store, "s.tar", "2.json", 7, 3),
        member(store, "s.tar", "3.json", 9, 5),
        member(store, "s.tar", "4.json", 90, 5),
    )
    assert [content for *_, content in found] == [b"{1}", b"{2}", SHORTER, SHORTER]


def test_a_large_file_is_read_block_by_block(store, monkeypatch):
    data = bytes(n % 251 for n in range(5000))
    store.put("dump.parquet", data)
    asked = []
    get_range = ObjectStore.get_range

    def seen(self, path, offset, length):
        asked.append((offset, length))
        return get_range(self, path, offset, length)

    monkeypatch.setattr(ObjectStore, "get_range", seen)
    frame = pl.DataFrame([whole(store, "dump.parquet")], schema=FILES, orient="row")
    for _, _, file in read_files(frame, READING):
        assert not isinstance(file, ValueError)
        file.seek(-10, io.SEEK_END)
        assert file.read(4) == data[-10:-6]
        file.seek(70)
        assert file.read(100) == data[70:170]
    assert max(length for _, length in asked) <= 100
    assert sum(length for _, length in asked) < 500


def test_a_large_file_that_became_shorter_ends_early(store):
    store.put("a.jsonl", bytes(300))
    with pytest.raises(EOFError):
        read(whole(store, "a.jsonl", size=400))


@pytest.mark.parametrize("size", [1, 500])
def test_a_file_that_cannot_be_read_now_is_an_error_that_names_it(tmp_path: Path, size: int):
    """A link to itself stands for a disk that does not answer."""
    store = ObjectStore(str(tmp_path))
    store.put("x/a.json", b"{}")
    file = whole(store, "x/a.json", size=size)
    (tmp_path / "x/a.json").unlink()
    (tmp_path / "x/a.json").symlink_to("a.json")
    with pytest.raises(ConnectionError, match=r"x/a\.json: .*cannot be read"):
        read(file)


@pytest.mark.parametrize("size", [1, 500])
def test_a_refused_key_is_an_error_that_names_the_file(s3_url, monkeypatch, size: int):
    store = ObjectStore(s3_url)
    store.put("a.json", b"{}")
    file = whole(store, "a.json", size=size)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    open_store.cache_clear()
    with pytest.raises(ConnectionError, match=r"a\.json: .*cannot be read"):
        read(file)
    open_store.cache_clear()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 30)), max_size=12),
    st.integers(1, 8),
    st.integers(0, 40),
    st.integers(1, 100),
    st.integers(100, 300),
)
def test_however_requests_are_made_the_bytes_are_the_same(
    tmp_path_factory, gaps, readers, gap_bytes, span_bytes, ahead_bytes
):
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    shard, members = b"", []
    for number, (gap, length) in enumerate(gaps):
        shard += b"." * gap
        content = bytes([65 + number]) * length
        members.append((f"{number}.json", len(shard), content))
        shard += content
    store.put("s.tar", shard)
    found = read(
        *(member(store, "s.tar", name, offset, len(data)) for name, offset, data in members),
        readers=readers,
        gap_bytes=gap_bytes,
        span_bytes=span_bytes,
        ahead_bytes=ahead_bytes,
        stream_bytes=25,
        block_bytes=7,
    )
    assert [(name, data) for _, name, data in found] == [(name, data) for name, _, data in members]


def test_no_more_is_fetched_ahead_than_the_limit(tmp_path, monkeypatch):
    store = ObjectStore(str(tmp_path))
    files = []
    for number in range(50):
        store.put(f"{number:02}.json", bytes(100))
        files.append(whole(store, f"{number:02}.json"))
    fetched = []
    get = ObjectStore.get
    monkeypatch.setattr(
        ObjectStore, "get", lambda self, path: fetched.append(path) or get(self, path)
    )
    frame = pl.DataFrame(files, schema=FILES, orient="row")
    found = read_files(frame, READING.model_copy(update={"ahead_bytes": 400}))
    next(found)
    found.close()
    assert len(fetched) <= 4
