import os
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dataproc_assets.config.runners import LocalRunnerConfig
from dataproc_assets.config.workers import ReadConfig
from dataproc_assets.runners import Job, JobFailed, Progress, make_runner
from dataproc_assets.runners.local import worker_devices

READ = ReadConfig(tries=1, backoff_seconds=0.0, stop_after=5)


def config(processes: int, device: str = "cpu") -> LocalRunnerConfig:
    return LocalRunnerConfig.model_validate(
        {
            "kind": "local",
            "processes": processes,
            "threads": 3,
            "readers": 1,
            "device": device,
            "read": READ.model_dump(),
        }
    )


def job(out: Path, units: dict[str, bytes], acts: dict[str, str] | None = None) -> Job:
    return Job(
        module="dataproc_assets_tests.runners.small_job",
        config={"out": str(out), "acts": acts or {}},
        units=units,
        name="small",
    )


UNITS = {"a": b"even", "b": b"odd", "c": b"even", "d": b"odd", "e": b"even"}


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is not reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_every_unit_is_done_once_by_its_rank(tmp_path: Path) -> None:
    seen: list[Progress] = []

    result = make_runner(config(2)).run(job(tmp_path, UNITS), seen.append)

    written = {path.name: path.read_text().split("\n") for path in tmp_path.glob("?")}
    assert {name: lines[0].encode() for name, lines in written.items()} == UNITS
    assert [written[name][3] for name in "abcde"] == ["0", "1", "0", "1", "0"]
    assert {tuple(lines[1:3]) for lines in written.values()} == {("3", "cpu")}
    assert (result.progress.done, result.progress.total) == (5, 5)
    assert result.progress.errors == {"odd": 2}
    assert result.workers == 2
    assert seen[-1] == result.progress


def test_no_more_workers_than_units(tmp_path: Path) -> None:
    assert make_runner(config(4)).run(job(tmp_path, {"a": b"even"})).workers == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("kill", "worker 1 was ended by SIGKILL (out of memory, or killed)"),
        ("exit", "worker 1 ended with exit code 3"),
        ("raise", "worker 1: RuntimeError: weights are missing"),
    ],
)
def test_a_failed_worker_fails_the_job_and_stops_the_others(
    tmp_path: Path, act: str, reason: str
) -> None:
    with pytest.raises(JobFailed) as failure:
        make_runner(config(2)).run(job(tmp_path, UNITS, {"0": "hang", "1": act}))

    assert failure.value.reason == reason
    assert "run it again" in str(failure.value)
    if act == "kill":
        assert failure.value.log_tail == "about to die"
    other = tmp_path / "pid-0"
    assert not other.exists() or not is_alive(int(other.read_text()))


def test_an_interrupt_ends_the_workers(tmp_path: Path) -> None:
    def interrupt(_progress: Progress) -> None:
        if (tmp_path / "pid-0").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_runner(config(1)).run(job(tmp_path, UNITS, {"0": "hang"}), interrupt)

    assert not is_alive(int((tmp_path / "pid-0").read_text()))


def test_the_workers_die_with_a_killed_runner(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        from pathlib import Path
        from dataproc_assets.runners import make_runner
        from dataproc_assets_tests.runners.test_local import config, job
        out = Path({str(tmp_path)!r})
        def tell(_):
            if (out / "pid-0").exists():
                print("started", flush=True)
        make_runner(config(1)).run(job(out, {{"a": b"even"}}, {{"0": "hang"}}), tell)
        """
    )
    runner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"started\n"
    child = int((tmp_path / "pid-0").read_text())
    handle = os.pidfd_open(child)

    runner.send_signal(signal.SIGKILL)
    runner.wait()
    runner.stdout.close()

    # A pid's descriptor becomes readable when the process ends.
    readable, _, _ = select.select([handle], [], [], 30)
    os.close(handle)
    assert readable, "the worker outlived its runner"


def test_one_worker_a_gpu_and_none_where_cuda_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert worker_devices(config(1, "auto")) == ["cuda:2", "cuda:5"]
    assert worker_devices(config(3, "cpu")) == ["cpu"] * 3

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert worker_devices(config(2, "auto")) == ["cpu", "cpu"]
    with pytest.raises(RuntimeError, match="shows no GPU"):
        worker_devices(config(2, "cuda"))
