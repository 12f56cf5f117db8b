"""Encoding that is killed, runs out of disk or loses its storage ends as one left in peace."""

import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.runners import make_runner
from dataproc_assets.storage.layout import latent_part_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets_tests.jobs.encoding import drawn_vae, encode_here, encode_job
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.passes import workers
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.crawl import Crawl, make_crawl
from dataproc_assets_tests.servers import running

MODULE = "dataproc_assets.jobs.encode_latents"
IMAGES, UNIT = 24, 2
HERE = """
import sys
from pathlib import Path
from dataproc_assets_tests.jobs.encoding import encode_here
from dataproc_assets_tests.jobs.test_latent_failures import job
encode_here(job(Path(sys.argv[1]), sys.argv[2]), Path(sys.argv[3]))
"""
RUNNER = """
import sys
from pathlib import Path
from dataproc_assets.runners import make_runner
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.test_latent_failures import job
make_runner(runner_config(processes=2)).run(job(Path(sys.argv[1]), sys.argv[2]))
"""


def todo(crawl: Crawl, side: int) -> pl.DataFrame:
    columns = ["uri", "offset", "length"]
    return crawl.addresses.select(
        crawl.images["sha256"],
        *columns,
        bucket_width=pl.lit(side, pl.Int32),
        bucket_height=pl.lit(side, pl.Int32),
    ).sort("sha256")


def job(folder: Path, store: str):
    """Units of two pictures each in a crawl that is made anew, with the same bytes."""
    frame = todo(make_crawl(folder / "crawl", IMAGES), 192)
    units = {
        f"u{start:03d}.todo.parquet": to_parquet(frame[start : start + UNIT])
        for start in range(0, IMAGES, UNIT)
    }
    folder.mkdir(exist_ok=True)
    return encode_job(Path(store), drawn_vae(folder), units, sample_share=0.5)


def draw(number: int, below: int) -> int:
    """A number that is as good as random, and the same in every run."""
    return int.from_bytes(hashlib.sha256(f"latents {number}".encode()).digest()[:4]) % below


def parts(store: Path) -> dict[str, bytes]:
    """Every part by its path."""
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*.parquet")}


def done(store: Path) -> dict[str, int]:
    """When each finished part was written; a part counts with its done mark."""
    marks = store.rglob("*.json")
    return {str(mark): mark.with_suffix(".parquet").stat().st_mtime_ns for mark in marks}


def killed(script: str, number: int, *arguments: str) -> bool:
    """Run a script and kill one of its processes at a drawn moment after its first parts."""
    store = Path(arguments[1])
    goal = len(done(store)) + 1 + draw(number, 3)
    runner = subprocess.Popen([sys.executable, "-c", script, *arguments], stderr=subprocess.DEVNULL)
    try:
        while len(done(store)) < goal and runner.poll() is None:
            time.sleep(0.002)
        time.sleep(draw(number + 100, 40) / 1000)
        running = workers(runner.pid, MODULE)
        victims = [runner.pid, *running]
        if runner.poll() is None:
            os.kill(victims[number % len(victims)], signal.SIGKILL)
        failed = runner.wait(60) != 0
        while any(Path(f"/proc/{pid}").exists() for pid in running):
            time.sleep(0.01)
    finally:
        runner.kill()
    return failed


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, bytes]:
    """The parts of an encoding that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    encode_here(job(folder, str(folder / "store")), folder)
    return parts(folder / "store")


def test_a_killed_encoding_leaves_whole_parts_and_the_rerun_makes_the_rest(whole, tmp_path):
    for number in range(10):  # a fast machine may be done before the kill
        store = tmp_path / f"store {number}"
        if killed(HERE, number, str(tmp_path), str(store), str(tmp_path)):
            break
    known = done(store)
    assert 0 < len(known) < len(whole)
    assert parts(store).items() <= whole.items()
    encode_here(job(tmp_path, str(store)), tmp_path)
    assert parts(store) == whole
    assert {path: done(store)[path] for path in known} == known


@pytest.mark.slow
def test_kills_of_a_worker_and_of_the_runner_at_any_moment_change_nothing(whole, tmp_path):
    store = tmp_path / "store"
    known: dict[str, int] = {}
    kills = 0
    for number in range(10):
        kills += killed(RUNNER, number, str(tmp_path), str(store))
        assert parts(store).items() <= whole.items()
        now = done(store)
        assert {path: now[path] for path in known} == known
        known = now
        if kills == 2:
            break
        if len(known) == len(whole):  # done before the kill: once more from nothing
            store, known = tmp_path / f"store {number}", {}
    assert kills == 2
    make_runner(runner_config(processes=2)).run(job(tmp_path, str(store)))
    assert parts(store) == whole


def test_a_disk_that_is_full_is_an_error_and_the_rerun_has_the_same_bytes(whole, tmp_path):
    store, work = tmp_path / "store", job(tmp_path, str(tmp_path / "store"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = max(len(data) for data in whole.values())
    assert max(len(unit) for unit in work.units.values()) < largest - 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 1, limits[1]))
    try:
        with pytest.raises(Exception, match="File too large"):
            encode_here(work, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert parts(store).items() < whole.items()
    encode_here(work, tmp_path)
    assert parts(store) == whole


@contextmanager
def failing_server(folder: Path, faults: dict[str, list[str]]) -> Iterator[str]:
    """An S3 that gives a folder's files; each object's next fault comes before its bytes.

    Faults: `503`, `403`, `drop` (no answer), `cut` (half of the bytes).
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            waiting = faults.get(name, [])
            fault = waiting.pop(0) if waiting else ""
            data = (folder / name).read_bytes()
            if fault == "drop":
                self.hang_up()
                return
            start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
            status = int(fault) if fault.isdigit() else 206 if start else 200
            body = b"" if fault.isdigit() else data[start:]
            self.send_response(status)
            self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
            if fault == "cut":
                self.hang_up()

        def hang_up(self) -> None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests want no log."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


def test_a_storage_that_fails_now_and_then_costs_nothing_and_what_it_keeps_is_retried(
    tmp_path, monkeypatch
):
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    vae = drawn_vae(tmp_path)
    crawl = make_crawl(tmp_path / "crawl", 5)
    frame = todo(crawl, 64)
    path = latent_part_path(latent_fingerprint(vae, WHITE), "u")
    names = [Path(uri).name for uri in frame["uri"]]
    bucket = f"failing-{os.getpid()}"  # a client is kept for each bucket
    remote = frame.with_columns(uri=pl.Series([f"s3://{bucket}/{name}" for name in names]))
    faults = {
        names[0]: ["503", "503"],
        names[1]: ["drop"],
        names[2]: ["cut"],
        names[3]: ["403"],
    }

    def encode(rows: pl.DataFrame, store: str) -> ObjectStore:
        units = {"u.todo.parquet": to_parquet(rows)}
        encode_here(encode_job(tmp_path / store, vae, units), tmp_path / "work")
        return ObjectStore(str(tmp_path / store))

    (tmp_path / "work").mkdir()
    expected = encode(frame, "near").get(path)
    with failing_server(tmp_path / "crawl", faults) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        first = from_parquet(encode(remote, "far").get(path))
        assert Counter(first["status"]) == {"ok": 4, "retry": 1}
        assert first.filter(status="retry")["sha256"].to_list() == [frame["sha256"][3]]
        assert first.filter(status="retry")["error"][0].startswith("unreachable")
        assert not any(faults.values())
        assert encode(remote, "far").get(path) == expected
