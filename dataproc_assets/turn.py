"""One `dataproc run` at a time in a folder, and an end for those that were killed."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

COMMAND_TAG = "dataproc/command"
HOST_TAG = "dataproc/host"
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


class TurnTaken(Exception):  # noqa: N818
    """Another `dataproc run` is at work in this folder."""


def tags() -> dict[str, str]:
    """What marks the runs of this command on this machine."""
    return {COMMAND_TAG: "run", HOST_TAG: socket.gethostname()}


@contextmanager
def turn(home: Path) -> Iterator[None]:
    """Hold the folder's turn; the system gives it back however the process ends.

    Raises TurnTaken while another process holds it.
    """
    path = home / ".dagster" / "run.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise TurnTaken(
                f"process {file.read().strip() or '?'} runs `dataproc run` in {home}: "
                "wait for its end, or end it"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def end_dead_runs(instance: dg.DagsterInstance) -> int:
    """Mark this command's unfinished runs as failed and free the pool slots they still hold.

    To be called by the holder of the turn: whatever is unfinished then was killed. Dagster would
    count it as running for ever, and a step of the same pool would wait for it. Returns how many.
    """
    dead = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=tags()))
    for run in dead:
        instance.report_run_failed(run, "its process was ended")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(dead)
