import pytest

from dataproc_assets.storage import versions
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.versions import (
    VersioningError,
    all_versions,
    delete_old_versions,
    delete_versions,
    ensure_versioning,
    object_versions,
)
from dataproc_assets_tests.release.versioned import new_bucket


def test_a_bucket_without_versions_is_refused_or_switched_on(s3):
    store = new_bucket(versioned=False)
    ensure_versioning(store, "ignore")
    with pytest.raises(VersioningError, match=r"keeps no versions, .* switch the bucket's"):
        ensure_versioning(store, "require")
    ensure_versioning(store, "enable")
    ensure_versioning(store, "require")
    s3_client().put_bucket_versioning(
        Bucket=store.place("")[0], VersioningConfiguration={"Status": "Suspended"}
    )
    with pytest.raises(VersioningError, match="keeps no versions"):
        ensure_versioning(store, "require")


def test_a_folder_has_no_versions_and_needs_none(tmp_path):
    store = ObjectStore(str(tmp_path))
    ensure_versioning(store, "require")
    store.put("a", b"x")
    assert object_versions(store, "a") == []


def test_what_keeps_a_bucket_from_being_asked_is_told(s3, monkeypatch):
    store = new_bucket(versioned=False)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(VersioningError, match=r"cannot be read or set: .*secret key is wrong"):
        ensure_versioning(store, "enable")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "readkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "readsecret")
    with pytest.raises(VersioningError, match=r"AccessDenied .*s3:PutBucketVersioning"):
        ensure_versioning(store, "enable")


def test_each_put_tells_the_version_that_it_made(s3, tmp_path):
    store = new_bucket(versioned=True)
    (tmp_path / "file").write_bytes(b"three")
    told = [store.put("a", b"one"), store.put("a", b"two"), store.put_file("a", tmp_path / "file")]
    store.put("ab", b"of another object")
    assert all(told)
    for version, data in zip(told, (b"one", b"two", b"three"), strict=True):
        assert store.get("a", version=version) == data
        assert b"".join(store.stream("a", version=version)[1]) == data
    store.delete("a")
    found = object_versions(store, "a")
    assert {entry.version for entry in found if not entry.deleted} == set(told)
    assert [entry.deleted for entry in found if entry.latest] == [True]
    for read in (store.get, store.stream):
        with pytest.raises(FileNotFoundError):
            read("a", version="0" * 32)
    assert store.put_new("a", b"anew")  # deleted is not there


def test_without_versions_a_put_tells_none(s3):
    store = new_bucket(versioned=False)
    assert store.put("a", b"one") is None
    s3_client().put_bucket_versioning(
        Bucket=store.place("")[0], VersioningConfiguration={"Status": "Suspended"}
    )
    assert store.put("a", b"two") is None


def kept(store: ObjectStore, prefix: str = "") -> list[tuple[str, bool]]:
    """The path of each version below a prefix, and whether it is a mark of deletion."""
    return sorted((version.path, version.deleted) for version in all_versions(store, prefix))


def test_all_versions_are_deleted_for_good_and_no_others(s3):
    store = new_bucket(versioned=True)
    for path in ("a/b", "a/b", "a/bc", "ab", "a/gone"):
        store.put(path, path.encode())
    store.delete("a/gone")
    store.put("a/b", b"present")
    gone = delete_versions(store, "a/")
    assert len(gone) == 6 and kept(store) == [("ab", False)]
    assert store.list()["path"].to_list() == ["ab"]
    assert delete_versions(store, "a/") == []


def test_only_wanted_versions_are_deleted(s3):
    store = new_bucket(versioned=True)
    first = store.put("a", b"first")
    store.put("a", b"second")
    assert [v.version for v in delete_versions(store, "a", lambda v: v.version == first)] == [first]
    assert kept(store) == [("a", False)] and store.get("a") == b"second"


def test_old_versions_go_and_what_is_present_stays(s3):
    store = new_bucket(versioned=True)
    for data in (b"one", b"two"):
        for path in ("x/present", "x/deleted", "y"):
            store.put(path, data)
    store.delete("x/deleted")
    assert len(delete_old_versions(store, "x/")) == 4
    assert kept(store) == [("x/present", False), ("y", False), ("y", False)]
    assert store.get("x/present") == b"two" and not store.exists("x/deleted")
    assert delete_old_versions(store, "x/") == []


def test_more_versions_than_are_deleted_at_a_time(s3, monkeypatch):
    monkeypatch.setattr(versions, "AT_ONCE", 3)
    store = new_bucket(versioned=True)
    for number in range(10):
        store.put("a", bytes(number))
    store.delete("a")
    assert len(delete_versions(store, "")) == 11 and kept(store) == []


def test_of_a_folder_and_of_a_bucket_without_versions(s3, tmp_path):
    folder, bucket = ObjectStore(str(tmp_path)), new_bucket(versioned=False)
    for store in (folder, bucket):
        store.put("a/b", b"x")
        assert delete_old_versions(store, "a/") == []
        assert store.get("a/b") == b"x"
    assert delete_versions(folder, "a/") == [] and folder.exists("a/b")
    assert len(delete_versions(bucket, "a/")) == 1 and not bucket.exists("a/b")


def test_what_keeps_versions_from_being_deleted_is_told(s3, monkeypatch):
    store = new_bucket(versioned=True)
    store.put("a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ConnectionError, match=r"a: its versions cannot be listed: .*secret key"):
        delete_versions(store, "a")


def test_a_client_is_made_anew_for_other_credentials_alone(s3, monkeypatch):
    one = s3_client()
    assert s3_client() is one
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert s3_client() is not one
