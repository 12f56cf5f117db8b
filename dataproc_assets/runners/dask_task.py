"""What a task of Dask does: a job's process over its share of the units, until it ends."""

import threading
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dataproc_assets.config.runners import DaskRunnerConfig
from dataproc_assets.runners.base import Job
from dataproc_assets.runners.worker import Worker, visible_gpus, write_units

POLL_SECONDS = 1.0


class TaskFailed(RuntimeError):  # noqa: N818
    """A job's process that did not end well. `reason` and `log_tail` are those of JobFailed."""

    def __init__(self, reason: str, log_tail: str) -> None:
        super().__init__(reason, log_tail)
        self.reason, self.log_tail = reason, log_tail


def run_share(topic: str, rank: int, job: Job, config: DaskRunnerConfig) -> dict[str, Any]:
    """Run the process, log its progress as the Dask worker's events, and return the last of it.

    A task that nobody wants any more, cancelled or left alone by a client that is gone, ends its
    process. Raises TaskFailed.
    """
    from distributed import get_worker

    dask = get_worker()
    task = f"{topic}-{rank}"
    changed = threading.Event()
    with TemporaryDirectory(prefix=f"{topic}-", dir=dask.local_directory) as temporary:
        root = Path(temporary)
        write_units(root, job)
        worker = Worker(root, 0, 1, job, config, _device(config))
        try:
            worker.start(changed)
            while worker.exit_code is None:
                changed.wait(POLL_SECONDS)
                dask.log_event(topic, {"task": task, "progress": asdict(worker.progress())})
                state = dask.state.tasks.get(task)
                if state is None or state.state == "cancelled":
                    return {}
            if worker.exit_code:
                where = f"task {rank} on {dask.address}: {worker.failure()}"
                raise TaskFailed(where, worker.log_tail())
            return asdict(worker.progress())
        finally:
            worker.stop()


def _device(config: DaskRunnerConfig) -> str:
    """The first GPU that the Dask worker shows, or the CPU. Raises TaskFailed."""
    gpus = [] if config.device == "cpu" else visible_gpus()
    if config.device == "cuda" and not gpus:
        raise TaskFailed("the runner's device is `cuda` and this Dask worker shows no GPU", "")
    return f"cuda:{gpus[0]}" if gpus else "cpu"
