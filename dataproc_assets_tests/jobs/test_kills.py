"""A pass killed again and again, at moments that nobody chose, ends like one left in peace."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataproc_assets.runners import make_runner
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.passes import METRIC_PASS, parts, pass_job, run_here, workers
from dataproc_assets_tests.jobs.pictures import encode, gradient

IMAGES, UNIT = 120, 6
SCRIPT = """
import sys
from pathlib import Path
from dataproc_assets.runners import make_runner
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.test_kills import job
make_runner(runner_config(processes=2)).run(job(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def job(crawl: Path, store: Path):
    """A pass over pictures that take a while."""
    rows = [
        (f"pixiv/{index}_p0", "v", str(crawl / f"{index}.png"), None, None, ["pixels"])
        for index in range(IMAGES)
    ]
    units = {f"u{start:03d}": rows[start : start + UNIT] for start in range(0, IMAGES, UNIT)}
    return pass_job(store, units, ("pixels",))


def draw(number: int, below: int) -> int:
    """A number that is as good as random, and the same in every run."""
    return int.from_bytes(hashlib.sha256(f"kill {number}".encode()).digest()[:4]) % below


def done(store: Path) -> dict[str, int]:
    """When each finished part was written; a part counts with its done mark."""
    marks = store.rglob("*.json")
    return {str(mark): mark.with_suffix(".parquet").stat().st_mtime_ns for mark in marks}


def one_kill(number: int, crawl: Path, store: Path) -> bool:
    """Start the pass and kill a worker or the runner; false where it was finished before."""
    goal = len(done(store)) + 1 + draw(number, 3)
    runner = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(crawl), str(store)], stderr=subprocess.DEVNULL
    )
    try:
        while len(done(store)) < goal and runner.poll() is None:
            time.sleep(0.01)
        time.sleep(draw(number + 100, 100) / 1000)
        running = workers(runner.pid, METRIC_PASS)
        victims = [runner.pid, *running]
        if runner.poll() is None and running:
            os.kill(victims[number % len(victims)], signal.SIGKILL)
        killed = runner.wait(60) != 0
        while any(Path(f"/proc/{pid}").exists() for pid in running):
            time.sleep(0.01)
    finally:
        runner.kill()
    return killed


@pytest.mark.slow
def test_kills_at_any_moment_change_nothing_and_no_finished_part_is_made_again(
    tmp_path: Path,
) -> None:
    crawl, store = tmp_path / "crawl", tmp_path / "store"
    crawl.mkdir()
    for index in range(IMAGES):
        (crawl / f"{index}.png").write_bytes(encode(gradient(500, 400, shift=index), "PNG"))
    run_here(job(crawl, tmp_path / "whole"), tmp_path / "here")
    whole, known, kills = parts(tmp_path / "whole"), {}, 0
    for number in range(20):
        kills += one_kill(number, crawl, store)
        now = done(store)
        assert {path: now[path] for path in known} == known
        known = now
        if kills == 4:
            break
        if parts(store) == whole:  # a fast machine was done before the kill: once more from nothing
            store, known = tmp_path / f"store {number}", {}
    assert kills == 4
    make_runner(runner_config(processes=2)).run(job(crawl, store))
    now = done(store)
    assert {path: now[path] for path in known} == known
    assert parts(store) == whole
