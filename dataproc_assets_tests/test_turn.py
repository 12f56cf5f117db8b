import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dataproc_assets.turn import TurnTaken, end_dead_runs, tags, turn


@dg.op(pool="gpu")
def step():
    return None


@dg.job(executor_def=dg.in_process_executor)
def work():
    step()


def test_a_second_run_in_a_folder_is_refused_by_the_name_of_the_first(tmp_path: Path):
    with turn(tmp_path):
        code = (
            "from pathlib import Path; from dataproc_assets.turn import turn; "
            f"turn(Path({str(tmp_path)!r})).__enter__()"
        )
        other = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert "TurnTaken" in other.stderr
        assert f"process {os.getpid()} runs" in other.stderr


def test_the_turn_is_free_again_after_an_error(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), turn(tmp_path):
        _ = 1 / 0
    with turn(tmp_path):
        assert issubclass(TurnTaken, Exception)


def test_a_killed_run_is_ended_and_gives_its_pool_slot_back():
    with dg.instance_for_test() as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 1)
        run = instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED, tags=tags())
        claim = instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "step")
        assert claim.is_claimed
        other = instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED)
        assert end_dead_runs(instance) == 1
        ended = instance.get_run_by_id(run.run_id)
        assert ended is not None and ended.status is dg.DagsterRunStatus.FAILURE
        kept = instance.get_run_by_id(other.run_id)
        assert kept is not None and kept.status is dg.DagsterRunStatus.STARTED
        assert instance.event_log_storage.claim_concurrency_slot("gpu", "next", "s").is_claimed
        assert end_dead_runs(instance) == 0
