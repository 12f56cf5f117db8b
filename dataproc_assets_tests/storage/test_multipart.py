import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import dataproc_assets
from dataproc_assets.storage.multipart import LARGE
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.writes import WriteError
from dataproc_assets_tests.release.versioned import new_bucket, uploads
from dataproc_assets_tests.storage.flaky import Fate, flaky

DATA = bytes(range(256)) * (2 * LARGE // 256) + b"end"


@pytest.fixture
def large(tmp_path) -> Path:
    (tmp_path / "large").write_bytes(DATA)
    return tmp_path / "large"


def test_a_large_object_goes_in_parts_and_comes_back_by_its_version(s3, large):
    store = new_bucket(versioned=True)
    first, second = store.put_file("a", large), store.put("a", DATA[::-1])
    assert store.get("a", version=first) == DATA
    assert store.get("a", version=second) == DATA[::-1]
    bucket, key = store.place("a")
    seen = s3_client().head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert seen["ChecksumSHA256"].endswith("-3")
    assert uploads(store) == []


@pytest.mark.parametrize("size", [100, len(DATA)])
def test_a_body_that_changed_on_the_way_is_refused_by_its_checksum(s3, monkeypatch, size):
    store = new_bucket(versioned=False)

    def fate(number: int, method: str, path: str) -> Fate:
        return "spoil" if method == "PUT" else "pass"

    monkeypatch.setenv("AWS_UNSIGNED_PAYLOAD", "true")  # else the signature would tell already
    with flaky(s3["AWS_ENDPOINT_URL_S3"], fate) as (url, fates):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(WriteError, match=r"/store/a: cannot be written: "):
            ObjectStore(store.url).put("a", DATA[:size])
    monkeypatch.undo()
    assert "spoil" in fates
    assert not store.exists("a") and uploads(store) == []


@pytest.mark.parametrize("what", ["refuse", "drop"])
def test_an_upload_whose_part_fails_is_aborted(s3, monkeypatch, large, what: Fate):
    store = new_bucket(versioned=False)

    def fate(number: int, method: str, path: str) -> Fate:
        return what if "partNumber=2" in path else "pass"

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    with flaky(s3["AWS_ENDPOINT_URL_S3"], fate) as (url, fates):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(WriteError, match=r"/store/a: cannot be written: "):
            ObjectStore(store.url).put_file("a", large)
    monkeypatch.undo()
    assert what in fates
    assert not store.exists("a") and uploads(store) == []


def test_an_upload_outlives_a_part_that_fails_once(s3, monkeypatch, large):
    store = new_bucket(versioned=False)
    failed: list[str] = []
    fails: list[Fate] = ["refuse", "drop", "lose"]

    def fate(number: int, method: str, path: str) -> Fate:
        if "partNumber" in path and path not in failed:
            failed.append(path)
            return fails[len(failed) % 3]
        return "pass"

    with flaky(s3["AWS_ENDPOINT_URL_S3"], fate) as (url, fates):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        ObjectStore(store.url).put_file("a", large)
    monkeypatch.undo()
    assert {"refuse", "drop", "lose"} <= set(fates)
    assert store.get("a") == DATA and uploads(store) == []


KILLED = """
import os, sys
from pathlib import Path
from dataproc_assets.storage import multipart
from dataproc_assets.storage.objects import ObjectStore

class Dying:
    def __init__(self, file):
        self.file = file
    def seek(self, place):
        if place > 0:
            os.kill(os.getpid(), 9)
        self.file.seek(place)
    def read(self, size):
        return self.file.read(size)

store = ObjectStore(sys.argv[1])
local = Path(sys.argv[2])
multipart.put_in_parts(*store.place("folder/a"), Dying(local.open("rb")), local.stat().st_size)
"""


def test_what_a_killed_upload_left_is_abandoned_with_its_folder(s3, large):
    store = new_bucket(versioned=False)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, store.url, str(large)],
        env=os.environ | {"PYTHONPATH": str(Path(dataproc_assets.__file__).parents[1])},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(uploads(store)) == 1 and not store.exists("folder/a")
    store.abandon("fold")
    assert len(uploads(store)) == 1
    store.abandon("folder")
    assert uploads(store) == []
