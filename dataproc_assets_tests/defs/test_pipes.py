from pathlib import Path

import dagster as dg

from dataproc_assets.defs.pipes import messages
from dataproc_assets.defs.run_pass import progress_log
from dataproc_assets.runners import JobFailed, make_runner
from dataproc_assets_tests.runners.test_sagemaker import NAMES, config, job, left, service, storage

__all__ = ["service", "storage"]  # the fixtures


def said(storage: str, out: Path, acts: dict[int, str] | None = None) -> list[str]:
    """What the log of a run holds whose asset runs a job."""

    @dg.asset
    def scored(context: dg.AssetExecutionContext) -> None:
        runner = make_runner(config(instances=2), storage, messages(context))
        runner.run(job(out, acts), progress_log(context, "pixiv"))

    instance = dg.DagsterInstance.ephemeral()
    result = dg.materialize([scored], instance=instance, raise_on_error=False)
    events = instance.all_logs(result.run_id)
    failed = [e.dagster_event for e in events if e.dagster_event and e.dagster_event.is_failure]
    assert bool(failed) is not result.success
    lines = [event.user_message for event in events]
    return lines + [str(e.event_specific_data) for e in failed]


def test_what_the_first_host_says_and_the_progress_of_all_are_in_the_runs_log(
    storage: str, tmp_path: Path
):
    lines = said(storage, tmp_path / "out")
    assert "worker 0: at work" in lines and "worker 1: at work" not in lines
    assert any(line.startswith(f"pixiv: {len(NAMES)} of {len(NAMES)} images") for line in lines)
    assert left(storage) == []


def test_a_container_that_dies_before_it_says_anything_fails_the_step(
    service, storage: str, tmp_path: Path
):
    service.broken = True
    (failure, *_) = [line for line in said(storage, tmp_path / "out") if JobFailed.__name__ in line]
    assert "exit code 127" in failure and "[algo-1-1] bad" in failure
