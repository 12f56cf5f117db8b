import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from dataproc_assets.storage.objects import PIECE, ObjectStore, open_store
from dataproc_assets_tests.s3 import BUCKET

ODD_NAMES = ["ü ぴ%20.jpg", "a b+c&d=e?f#1.json", "~tilde*.txt", "[x]{y}|z^`.jpg", ".hidden"]


def test_an_object_is_there_until_it_is_deleted(store):
    store.put("a/b.bin", b"one")
    store.put("a/b.bin", b"other")
    assert store.get("a/b.bin") == b"other"
    assert (store.exists("a/b.bin"), store.size("a/b.bin")) == (True, 5)
    assert ObjectStore(store.url).get("a/b.bin") == b"other"
    store.delete("a/b.bin")
    store.delete("a/b.bin")
    assert not store.exists("a/b.bin")


def test_a_missing_object_is_no_file(store):
    for read in (store.get, store.size, lambda path: store.get_range(path, 0, 1)):
        with pytest.raises(FileNotFoundError):
            read("none")
    assert not store.exists("none")


def test_a_range_is_whole_or_an_error(store):
    store.put("r", b"0123456789")
    assert store.get_range("r", 3, 4) == b"3456"
    assert store.get_range("r", 0, 10) == b"0123456789"
    for offset in (8, 10, 500):
        with pytest.raises(EOFError, match=f"of 4 bytes at {offset}"):
            store.get_range("r", offset, 4)


def test_one_of_eight_writers_makes_a_new_object(store):
    barrier = Barrier(8)

    def write(number: int) -> bool:
        barrier.wait()
        return store.put_new("race", f"{number}".encode() * 1000)

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert sum(won) == 1
    assert store.get("race") == f"{won.index(True)}".encode() * 1000
    assert not store.put_new("race", b"late")


def test_a_listing_is_of_a_folder_sorted_with_sizes_and_versions(store):
    assert store.list().is_empty()
    for path in ("a/b2/c", "a/b/d", "a0", "B"):
        store.put(path, path.encode())
    listing = store.list()
    assert listing["path"].to_list() == ["B", "a/b/d", "a/b2/c", "a0"]
    assert listing["size"].to_list() == [1, 5, 6, 2]
    assert listing["version"].null_count() == 0
    assert store.list("a/b")["path"].to_list() == ["a/b/d"]
    assert store.list("none").schema == listing.schema


def test_other_bytes_are_another_version(store):
    store.put("x", b"one")
    before = store.list()["version"].item()
    assert store.list()["version"].item() == before
    store.put("x", b"two and more")
    assert store.list()["version"].item() != before


def test_a_listing_has_more_than_one_page(store):
    names = [f"many/{number:04d}" for number in range(1050)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: store.put(name, b"x"), names))
    assert store.list("many")["path"].to_list() == names


def test_a_large_object_comes_piece_by_piece(store):
    data = bytes(range(256)) * (2 * PIECE // 256) + b"end"
    store.put("a/b.bin", data)
    size, pieces = store.stream("a/b.bin")
    read = list(pieces)
    assert (size, b"".join(read)) == (len(data), data)
    assert len(read) > 1
    with pytest.raises(FileNotFoundError):
        store.stream("missing")


def test_a_large_file_goes_up_in_parts(store, tmp_path):
    data = bytes(range(256)) * 50_000
    (tmp_path / "large").write_bytes(data)
    store.put_file("large", tmp_path / "large")
    assert store.get("large") == data


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back_as_they_went(store, name):
    store.put(f"odd/{name}", name.encode())
    assert store.list("odd")["path"].to_list() == [f"odd/{name}"]
    assert store.get(f"odd/{name}") == name.encode()


def test_no_path_leads_out_of_the_store(store, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    for path in ("../secret", "a/../../secret", "a//../secret", "./../secret"):
        for use in (store.get, store.delete, store.list, store.exists, store.size):
            with pytest.raises((ValueError, TypeError), match="path"):
                use(path)
        with pytest.raises(ValueError, match="path"):
            store.put(path, b"overwritten")
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_store_that_is_away_says_so(tmp_path, s3, monkeypatch):
    away = tmp_path / "away"
    with pytest.raises(ConnectionError, match="away: there is no such folder"):
        ObjectStore(str(away)).check()
    assert not away.exists()
    with pytest.raises(ConnectionError, match="s3://nowhere: cannot be listed"):
        ObjectStore("s3://nowhere").check()
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ConnectionError, match=f"s3://{BUCKET}: cannot be listed"):
        ObjectStore(f"s3://{BUCKET}").check()


def test_a_store_that_is_there_passes(store):
    store.put("x", b"")
    store.check()


def test_a_uri_names_the_object(tmp_path):
    assert ObjectStore(f"{tmp_path}/").uri("a/b") == f"{tmp_path}/a/b"
    assert ObjectStore("s3://bucket/prefix/").uri("a") == "s3://bucket/prefix/a"
    assert open_store("/").uri("etc") == "/etc"


WRITER = """
import sys
from dataproc_assets.storage.objects import ObjectStore
store = ObjectStore(sys.argv[1])
print("ready", flush=True)
for number in range(1000):
    store.put("whole", bytes([number % 256]) * 4_000_000)
"""


def test_a_writer_that_is_killed_leaves_a_whole_object_or_none(tmp_path):
    for seconds in (0.02, 0.05, 0.11):
        root = str(tmp_path / str(seconds))
        writer = subprocess.Popen([sys.executable, "-c", WRITER, root], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(seconds)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        for path, size in ObjectStore(root).list().select("path", "size").iter_rows():
            assert (path, size) == ("whole", 4_000_000)
            assert len(set(ObjectStore(root).get(path))) == 1
