import pytest

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.versions import VersioningError, ensure_versioning, object_versions
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
