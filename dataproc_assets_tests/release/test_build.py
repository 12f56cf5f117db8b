"""What befalls a release on its way: a race, a kill, a broken connection, a full disk."""

import itertools
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dataproc_assets.release.build import clean
from dataproc_assets.release.manifest import read_manifest, verify
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.writes import WriteError
from dataproc_assets_tests.release.crawl import make_crawl
from dataproc_assets_tests.release.making import run, tree
from dataproc_assets_tests.release.publisher import TITLE, publisher
from dataproc_assets_tests.release.versioned import new_bucket, uploads
from dataproc_assets_tests.storage.flaky import Fate, flaky
from dataproc_assets_tests.stores import contents


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """The folder of the small crawl: to be read only."""
    folder = tmp_path_factory.mktemp("pictures")
    make_crawl(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(pictures, tmp_path_factory) -> dict[str, bytes]:
    """What a run leaves that nothing befell, by path."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run(ObjectStore(str(folder)), make_crawl(pictures), funnel=())
    return tree(folder)


def content(store: ObjectStore) -> dict[str, bytes]:
    """All of a store: of a folder, files that its client does not list too."""
    if not store.is_s3:
        return tree(Path(store.url))
    return contents(store)


@pytest.mark.parametrize("title", [TITLE, "Another"])
def test_of_two_processes_one_publishes_and_the_other_says_so(store, pictures, title):
    runs = [publisher(pictures, store.url, each) for each in (TITLE, title)]
    for process in runs:
        start(process)
    said = [process.communicate(timeout=60) for process in runs]
    manifest = read_manifest(store, "releases/small")
    assert manifest is not None and verify(store, "small") == []
    ends = sorted((process.returncode, out) for process, (out, _) in zip(runs, said, strict=True))
    if title == TITLE:
        assert ends == [(0, f"{manifest.digest} known\n"), (0, f"{manifest.digest} made\n")], said
    else:
        assert ends == [(0, f"{manifest.digest} made\n"), (1, "")], said
        loser = next(err for out, err in said if not out)
        assert "ReleaseExistsError: release 'small' is published" in loser
        assert manifest.digest[:16] in loser
    kept = {f"{manifest.root}/{path}" for path in manifest.files}
    assert set(content(store)) == kept | {"releases/small/manifest.json"}


@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.9])
def test_a_process_killed_on_a_folder_leaves_nothing_half(tmp_path, pictures, undisturbed, share):
    store = ObjectStore(str(tmp_path))
    process = publisher(pictures, store.url)
    start(process)
    while process.poll() is None and written(tmp_path) < share * len(undisturbed):
        time.sleep(0.0005)
    end_killed(process, store, pictures, undisturbed)


@pytest.mark.parametrize("number", [0, 3, 7, 10])
@pytest.mark.parametrize("what", ["drop", "lose"])
def test_a_process_killed_at_a_request_leaves_nothing_half(s3, pictures, undisturbed, number, what):
    """Killed as it writes for the nth time, before the server has it or when it has it."""
    store = new_bucket(versioned=False)
    puts = itertools.count()
    processes: list[subprocess.Popen[str]] = []

    def fate(_: int, method: str, path: str) -> Fate:
        if method != "PUT" or next(puts) < number:
            return "pass"
        if what == "drop":
            processes[0].kill()
        return what

    with flaky(s3["AWS_ENDPOINT_URL_S3"], fate) as (url, fates):
        processes.append(publisher(pictures, store.url, AWS_ENDPOINT_URL_S3=url))
        start(processes[0])
        while processes[0].poll() is None and "lose" not in fates:
            time.sleep(0.001)
        end_killed(processes[0], store, pictures, undisturbed)
    assert what in fates


def written(folder: Path) -> int:
    """How many files there are now, of which the writer may take some away meanwhile."""
    return sum(len(files) for _, _, files in os.walk(folder))


def start(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def end_killed(
    process: "subprocess.Popen[str]",
    store: ObjectStore,
    pictures: Path,
    undisturbed: dict[str, bytes],
) -> None:
    """Kill it; a release is there whole or not at all, and a rerun has the same bytes."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    manifest = read_manifest(store, "releases/small")
    assert manifest is None or verify(store, "small") == []
    run(store, make_crawl(pictures), funnel=())
    assert content(store) == undisturbed


@pytest.mark.parametrize("seed", range(4))
def test_a_server_that_fails_now_and_then_is_outlived_or_the_run_ends_clean(
    s3, pictures, undisturbed, monkeypatch, seed
):
    store = new_bucket(versioned=False)
    fails: list[Fate] = ["refuse", "drop", "lose"]

    def fate(number: int, method: str, path: str) -> Fate:
        drawn = (number * 2654435761 + seed * 40503) >> 7
        return fails[drawn % 3] if drawn % 7 == 0 else "pass"

    with flaky(s3["AWS_ENDPOINT_URL_S3"], fate) as (url, fates):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        run(ObjectStore(store.url), make_crawl(pictures), funnel=())
    monkeypatch.undo()
    assert set(fails) & set(fates)
    assert content(store) == undisturbed and uploads(store) == []


@pytest.mark.parametrize("begun", [0, 3, 9])
def test_a_server_that_goes_away_ends_the_run_and_the_next_goes_on(
    s3, pictures, undisturbed, monkeypatch, begun
):
    store = new_bucket(versioned=False)
    puts = itertools.count()

    def fate(number: int, method: str, path: str) -> Fate:
        return "spoil" if method == "PUT" and next(puts) >= begun else "pass"

    with flaky(s3["AWS_ENDPOINT_URL_S3"], fate) as (url, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(WriteError, match="cannot be written"):
            run(ObjectStore(store.url), make_crawl(pictures), funnel=())
    monkeypatch.undo()
    assert read_manifest(store, "releases/small") is None
    assert run(store, make_crawl(pictures), funnel=()).created
    assert content(store) == undisturbed


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(options, check=False).returncode:
        pytest.skip("this user may not mount a tmpfs: no disk to fill")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("full", ["storage", "temporary"])
def test_a_full_disk_is_named_and_shows_nothing(
    small_disk, s3_url, pictures, undisturbed, tmp_path, monkeypatch, full
):
    if full == "temporary":
        monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    store = ObjectStore(str(small_disk) if full == "storage" else s3_url)
    (small_disk / "other").write_bytes(bytes(60_000))
    with pytest.raises(WriteError, match=f"{small_disk}.*(the disk is full; make room)"):
        run(store, make_crawl(pictures), funnel=())
    assert read_manifest(store, "releases/small") is None
    (small_disk / "other").unlink()
    if full == "storage":
        subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    run(store, make_crawl(pictures), funnel=())
    assert content(store) == undisturbed


def test_nothing_is_cleaned_before_anything_is_published(store):
    store.put("releases/small/root/a", b"x")
    assert clean(store, "releases/small") == []
    assert store.exists("releases/small/root/a")


def test_parts_of_an_upload_that_was_killed_go_with_the_next_publishing(s3, pictures):
    store = new_bucket(versioned=True)
    for path in ("releases/small/root/webdataset/train-00000.tar", "releases/small2/a"):
        bucket, key = store.place(path)
        s3_client().create_multipart_upload(Bucket=bucket, Key=key)
    assert len(uploads(store)) == 2
    run(store, make_crawl(pictures))
    assert [upload["Key"] for upload in uploads(store)] == ["store/releases/small2/a"]
