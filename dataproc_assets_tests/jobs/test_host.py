import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.jobs.host import read_host, share, shared_units


def write(base: Path, current: str, hosts: list[str]) -> None:
    (base / "config").mkdir()
    text = json.dumps({"current_host": current, "hosts": hosts})
    (base / "config" / "resourceconfig.json").write_text(text)


def test_the_rank_is_the_place_among_the_sorted_hosts(tmp_path: Path) -> None:
    write(tmp_path, "algo-2", ["algo-3", "algo-2", "algo-1"])

    host = read_host(tmp_path)

    assert (host.rank, host.world) == (1, 3)


def test_a_host_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "algo-9", ["algo-1"])

    with pytest.raises(ValueError, match="algo-9"):
        read_host(tmp_path)


def test_the_reason_of_a_failure_lies_where_it_is_looked_for(tmp_path: Path) -> None:
    write(tmp_path, "algo-1", ["algo-1"])

    read_host(tmp_path).fail(RuntimeError("no weights"))

    assert (tmp_path / "output" / "message").read_text() == "RuntimeError: no weights"


@given(st.lists(st.text(min_size=1), unique=True), st.integers(1, 9))
def test_each_name_is_one_workers_share(names: list[str], world: int) -> None:
    shares = [share(names, rank, world) for rank in range(world)]

    assert sorted(name for taken in shares for name in taken) == sorted(names)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_only_unit_files_are_units_and_each_is_one_workers(tmp_path: Path) -> None:
    (tmp_path / "todo").mkdir()
    for name in ("a.todo.parquet", "b.todo.parquet", "c.todo.parquet", "notes.txt"):
        (tmp_path / "todo" / name).touch()

    first, second = (shared_units(tmp_path, rank, world=2) for rank in (0, 1))

    assert (list(first), list(second)) == (["a", "c"], ["b"])
    assert second["b"] == tmp_path / "todo" / "b.todo.parquet"


def run_job(base: Path, main: str) -> subprocess.CompletedProcess[str]:
    """Run `main`, the text of a function, as a job of its own process."""
    write(base, "algo-2", ["algo-1", "algo-2"])
    (base / "processing" / "input" / "config").mkdir(parents=True)
    (base / "processing" / "input" / "config" / "job.json").write_text('{"a": 1}')
    head = "from dataproc_assets.jobs.host import run_worker\n"
    text = head + textwrap.dedent(main) + "\nrun_worker(main, 'A job.')\n"
    command = [sys.executable, "-c", text, "--base", str(base)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_job_that_fails_leaves_its_reason_and_ends_with_1(tmp_path: Path) -> None:
    done = run_job(
        tmp_path,
        """
        def main(config, inputs, outputs, rank, world):
            raise ValueError(f"{config} {inputs.name} {outputs.name} {rank} of {world}")
        """,
    )

    assert done.returncode == 1
    assert "Traceback" in done.stderr
    reason = (tmp_path / "output" / "message").read_text()
    assert reason == "ValueError: {'a': 1} input output 1 of 2"


def test_a_thread_inside_a_library_does_not_make_a_finished_job_fail(tmp_path: Path) -> None:
    done = run_job(
        tmp_path,
        """
        import threading, time, torch

        def forever():
            square = torch.eye(1500)
            while True:
                square = square @ square

        def main(config, inputs, outputs, rank, world):
            threading.Thread(target=forever, daemon=True).start()
            time.sleep(0.3)
            print("all parts are written")
        """,
    )

    assert (done.returncode, done.stdout) == (0, "all parts are written\n"), done.stderr
