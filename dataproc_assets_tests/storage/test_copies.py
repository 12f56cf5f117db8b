from pathlib import Path

import pytest

from dataproc_assets.storage import copies
from dataproc_assets.storage.copies import copy_object
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.versioned import new_bucket

DATA = bytes(range(256)) * 300


def test_a_copy_has_the_bytes_and_the_original_stays(store):
    store.put("a/one", DATA)
    assert copy_object(store, "a/one", "b/c/two", "beside") is None
    assert store.get("b/c/two") == store.get("a/one") == DATA
    assert store.list()["path"].to_list() == ["a/one", "b/c/two"]
    store.delete("a/one")
    assert store.get("b/c/two") == DATA


def test_in_a_folder_the_bytes_are_there_once(tmp_path):
    store = ObjectStore(str(tmp_path))
    store.put("one", DATA)
    copy_object(store, "one", "two", "beside")
    assert (tmp_path / "one").samefile(tmp_path / "two")


def test_a_file_system_without_links_gets_a_copy(tmp_path, monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(copies.os, "link", refused)
    store = ObjectStore(str(tmp_path))
    store.put("one", DATA)
    copy_object(store, "one", "two", "beside")
    assert Path(store.uri("two")).read_bytes() == DATA
    assert not (tmp_path / "one").samefile(tmp_path / "two")


def test_where_nothing_is_nothing_is_copied(store):
    with pytest.raises(FileNotFoundError):
        copy_object(store, "none", "two", "beside")
    assert store.list().is_empty()


def test_a_versioned_bucket_tells_the_version_of_the_copy(s3, monkeypatch):
    store = new_bucket(versioned=True)
    store.put("one", DATA)
    for most in (copies.MOST, 1):  # at once, and in parts
        monkeypatch.setattr(copies, "MOST", most)
        version = copy_object(store, "one", "two", "beside")
        assert version and store.get("two", version=version) == DATA
