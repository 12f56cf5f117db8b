"""A purge that is killed at any moment, and taken up."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

import dataproc_assets
from dataproc_assets.release.latent_checks import check_latents
from dataproc_assets.release.manifest import verify
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.versions import all_versions
from dataproc_assets_tests.release.purging import clear, first_shard, traces
from dataproc_assets_tests.release.revoking import revoke_rows
from dataproc_assets_tests.release.versioned import new_bucket
from dataproc_assets_tests.stores import contents, copied


class Killed(BaseException):
    pass


class Mortal(ObjectStore):
    """A store whose process dies at the n-th change."""

    def __init__(self, url: str, left: int) -> None:
        super().__init__(url)
        self.left = left

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed

    def put(self, path: str, data: bytes) -> str | None:
        self._live()
        return super().put(path, data)

    def put_new(self, path: str, data: bytes) -> bool:
        self._live()
        return super().put_new(path, data)

    @contextmanager
    def making(self, path: str, beside: str) -> Iterator:
        self._live()
        with super().making(path, beside) as made:
            yield made

    def delete(self, path: str) -> None:
        self._live()
        super().delete(path)


def test_killed_at_any_moment_it_is_taken_up(purgeable, tmp_path, crawl):
    rows = read_train(purgeable, "small")
    gone = pl.concat([first_shard(rows), rows.filter(pl.col("split") == "validation").head(1)])
    whole = copied(purgeable, ObjectStore(str(tmp_path / "whole")))
    revoked = revoke_rows(whole, gone)
    clear(whole, revoked)
    expected, moment, died = contents(whole), 0, True
    while died:
        store = copied(purgeable, ObjectStore(str(tmp_path / str(moment))))
        revoke_rows(store, gone)
        try:
            clear(Mortal(store.url, moment), revoked)
            died = False
        except Killed:
            readers = read_train(store, "small")
            assert not set(readers["image_id"]) & set(gone["image_id"])
        clear(store, revoked)
        assert contents(store) == expected, moment
        moment += 3
    assert moment > 60


def test_killed_and_more_is_revoked_meanwhile(purgeable, tmp_path, crawl):
    rows = read_train(purgeable, "small")
    for moment in (20, 30, 40, 60):
        store = copied(purgeable, ObjectStore(str(tmp_path / str(moment))))
        with pytest.raises(Killed):
            clear(Mortal(store.url, moment), revoke_rows(store, rows.head(1)))
        done = clear(store, revoke_rows(store, rows.head(2), "2026-12-01"))
        assert done is not None
        for name in ("small.1", "small.2"):
            clear(store, revoke_rows(store, rows.head(2), "2026-12-01"), name)
        assert traces(store, crawl, rows.head(2)) == []
        assert read_train(store, "small").height == rows.height - 2
        assert verify(store, "small") == check_latents(store, "small") == []


PURGING = """
import sys
from dataproc_assets.release.purge import purge
from dataproc_assets.release.revocations import read_revocations
from dataproc_assets.storage.objects import ObjectStore
store = ObjectStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
purge(store, "small", read_revocations(store), code_version="2", say=lambda line: None)
"""


@pytest.mark.slow
def test_on_a_bucket_with_versions_it_may_be_killed_at_any_time(s3, purgeable, crawl):
    gone = read_train(purgeable, "small").head(1)
    whole = copied(purgeable, new_bucket(versioned=True))
    clear(whole, revoke_rows(whole, gone))
    expected = contents(whole)
    store = copied(purgeable, new_bucket(versioned=True))
    revoked = revoke_rows(store, gone)
    killed, seconds = 0, 0.02
    while killed < 8:
        process = subprocess.Popen(
            [sys.executable, "-c", PURGING, store.url],
            env=os.environ | {"PYTHONPATH": str(Path(dataproc_assets.__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()
        ended = process.wait()
        seconds *= 1.5
        assert not set(read_train(store, "small")["image_id"]) & set(gone["image_id"])
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        killed += 1
    assert killed > 0
    clear(store, revoked)
    found = contents(store)
    assert {p for p in found if not p.endswith("manifest.json")} == {
        p for p in expected if not p.endswith("manifest.json")
    }
    assert all(found[p] == expected[p] for p in found if not p.endswith("manifest.json"))
    assert verify(store, "small") == check_latents(store, "small") == []
    assert traces(store, crawl, gone) == []
    assert {v.path for v in all_versions(store, "") if "/small/" in v.path} == {
        "releases/small/withdrawn.json"
    }
