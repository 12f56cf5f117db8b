import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from dataproc_assets.config.runners import DaskRunnerConfig
from dataproc_assets.config.workers import ReadConfig
from dataproc_assets.runners import JobFailed, Progress, make_runner
from dataproc_assets_tests.dedup.build import planted
from dataproc_assets_tests.defs.test_near_duplicates import (
    WIDTH,
    expected,
    searched,
    small_world,
    write_part,
    write_present,
)
from dataproc_assets_tests.runners.test_local import UNITS, is_alive, job

READ = ReadConfig(tries=1, backoff_seconds=0.0, stop_after=5)
pytestmark = pytest.mark.xdist_group("dask")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two workers, each with one GPU as far as the scheduler knows."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=2,
        host="127.0.0.1",
        dashboard_address="",
        resources={"GPU": 1},
    ) as cluster:
        yield cluster


def config(cluster: Any, workers: int, **changes) -> DaskRunnerConfig:
    values = {
        "kind": "dask",
        "address": cluster.scheduler_address,
        "workers": workers,
        "resources": {"GPU": 1},
        "connect_seconds": 20.0,
        "threads": 3,
        "readers": 1,
        "device": "cpu",
        "read": READ,
    }
    return DaskRunnerConfig(**{**values, **changes})


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_every_unit_is_done_once_by_any_number_of_workers(cluster, tmp_path: Path, workers) -> None:
    seen: list[Progress] = []

    result = make_runner(config(cluster, workers)).run(job(tmp_path, UNITS), seen.append)

    written = {path.name: path.read_text().split("\n") for path in tmp_path.glob("?")}
    assert {name: lines[0].encode() for name, lines in written.items()} == UNITS
    assert {tuple(lines[1:3]) for lines in written.values()} == {("3", "cpu")}
    assert result.workers == workers
    assert (result.progress.done, result.progress.total) == (5, 5)
    assert result.progress.errors == {"odd": 2}
    assert seen[-1] == result.progress


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("raise", "RuntimeError: weights are missing"),
        ("kill", "worker 0 was ended by SIGKILL"),
        ("exit", "worker 0 ended with exit code 3"),
    ],
)
def test_a_failure_says_where_and_why(cluster, tmp_path: Path, act: str, reason: str) -> None:
    with pytest.raises(JobFailed, match=f"task 0 on tcp://127.0.0.1:.*{reason}") as failure:
        make_runner(config(cluster, 1)).run(job(tmp_path, UNITS, {"0": act}))
    assert ("about to die" in failure.value.log_tail) is (act == "kill")


def test_an_interrupted_job_leaves_no_process(cluster, tmp_path: Path) -> None:
    def interrupt(_: Progress) -> None:
        if (tmp_path / "pid-0").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_runner(config(cluster, 1)).run(job(tmp_path, UNITS, {"0": "hang"}), interrupt)

    assert ended(int((tmp_path / "pid-0").read_text()))


def test_a_lost_worker_is_no_lost_job(cluster, tmp_path: Path) -> None:
    """Killed with its Dask worker, a task begins again on the other."""
    killed = threading.Event()

    def kill_once(_: Progress) -> None:
        if (tmp_path / "pid-0").exists() and not killed.is_set():
            killed.set()
            child = int((tmp_path / "pid-0").read_text())
            os.kill(parent(child), signal.SIGKILL)
            assert ended(child)
            (tmp_path / "go").touch()

    result = make_runner(config(cluster, 1)).run(job(tmp_path, UNITS, {"0": "wait"}), kill_once)

    assert killed.is_set()
    assert result.progress.done == 5
    assert sorted(path.name for path in tmp_path.glob("?")) == sorted(UNITS)
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)  # for the next test


def test_a_scheduler_that_is_away_is_named(cluster) -> None:
    away = config(cluster, 1, address="tcp://127.0.0.1:1", connect_seconds=0.5)
    with pytest.raises(ConnectionError, match=r"tcp://127\.0\.0\.1:1: no Dask scheduler answers"):
        make_runner(away).run(job(Path("/nowhere"), UNITS))


def test_what_no_worker_offers_is_named(cluster) -> None:
    greedy = config(cluster, 1, resources={"GPU": 8}, connect_seconds=0.5)
    with pytest.raises(ConnectionError, match="none of 2 Dask workers offers GPU=8"):
        make_runner(greedy).run(job(Path("/nowhere"), UNITS))


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ended(pid: int) -> bool:
    """Whether a process ends, within half a minute."""
    for _ in range(300):
        if not is_alive(pid):
            return True
        threading.Event().wait(0.1)
    return False


def test_near_duplicates_are_searched_on_the_cluster(cluster, tmp_path: Path) -> None:
    images = {f"pixiv/{n}": vector for n, vector in enumerate(planted(30, WIDTH, 1))}
    world = small_world(tmp_path, job_pairs=0)
    place = {"threads": 1, "readers": 1, "device": "cpu", "read": READ.model_dump()}
    dask = {"kind": "dask", "address": cluster.scheduler_address, "workers": 2, "resources": {}}
    world.change("profiles/local.yaml", lambda conf: conf.update(runner=place | dask))
    for start in range(0, 30, 10):
        part = {key: images[key] for key in list(images)[start : start + 10]}
        write_part(world.lake, "pixiv", f"unit{start}", part, "v")
    write_present(world.lake, dict.fromkeys(images, "v"))
    assert searched(world.lake) == (expected(images), 6)
