"""A job as processes on this machine: one a GPU, or as many as the configuration says."""

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from dataproc_assets.config.runners import LocalRunnerConfig
from dataproc_assets.runners.base import Job, JobFailed, JobResult, OnProgress, Progress, total
from dataproc_assets.runners.worker import Worker, visible_gpus, write_units

POLL_SECONDS = 1.0


class LocalRunner:
    """Starts every worker with a base folder of its own, in the layout of SageMaker Processing."""

    def __init__(self, config: LocalRunnerConfig) -> None:
        self.config = config

    def run(self, job: Job, on_progress: OnProgress | None = None) -> JobResult:
        """Run the job and wait. An interrupt, or the end of this process, ends the workers.

        Raises:
            JobFailed: a worker ended with an exit code or by a signal; the others are stopped.
        """
        start = time.monotonic()
        places = worker_devices(self.config)[: max(1, len(job.units))]
        with TemporaryDirectory(prefix=f"{job.name}-") as temporary:
            root = Path(temporary)
            write_units(root, job)
            workers = [
                Worker(root, rank, len(places), job, self.config, device)
                for rank, device in enumerate(places)
            ]
            progress = supervise(workers, job, on_progress)
        return JobResult(progress, len(workers), time.monotonic() - start)


def worker_devices(config: LocalRunnerConfig) -> list[str]:
    """One device a worker: `cuda:{index}` for each GPU, or `cpu` as often as configured.

    Raises:
        RuntimeError: the configuration wants GPUs and there are none.
    """
    gpus = [] if config.device == "cpu" else visible_gpus()
    if config.device == "cuda" and not gpus:
        raise RuntimeError(
            "the runner's device is `cuda` and this machine shows no GPU; "
            "set device: auto or cpu in the profile"
        )
    return [f"cuda:{gpu}" for gpu in gpus] or ["cpu"] * config.processes


def supervise(workers: list[Worker], job: Job, on_progress: OnProgress | None) -> Progress:
    """Start the workers, wait for all, and stop the others when one fails."""
    changed = threading.Event()
    try:
        for worker in workers:
            worker.start(changed)
        while True:
            changed.wait(POLL_SECONDS)
            changed.clear()
            codes = [worker.exit_code for worker in workers]
            progress = total(worker.progress() for worker in workers)
            if on_progress is not None:
                on_progress(progress)
            failed = [worker for worker, code in zip(workers, codes, strict=True) if code]
            if failed:
                raise JobFailed(job.name, failed[0].failure(), failed[0].log_tail())
            if all(code == 0 for code in codes):
                return progress
    finally:
        for worker in workers:
            worker.stop()
