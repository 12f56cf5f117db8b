"""A job as a SageMaker Processing job: started, followed, stopped, or found running and joined."""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from dataproc_assets.config.runners import LocalRunnerConfig
from dataproc_assets.config.sagemaker import SageMakerRunnerConfig
from dataproc_assets.runners.base import Job, JobFailed, JobResult, OnProgress, Progress, total
from dataproc_assets.runners.order import PROGRESS, Order
from dataproc_assets.runners.processing import RETRIED, Processing
from dataproc_assets.storage.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from sagemaker.core.resources import ProcessingJob

Messages = Callable[[str], AbstractContextManager[Mapping[str, str]]]
JOBS = "jobs"


@contextmanager
def no_messages(_: str) -> Iterator[Mapping[str, str]]:
    """Nobody listens to what the job says."""
    yield {}


class SageMakerRunner:
    """Runs a job on SageMaker, from the storage root's folder `jobs`.

    A job is known by what it is to do. One that already runs, because whoever started it was
    lost, is joined; no second one is started.
    """

    def __init__(
        self, config: SageMakerRunnerConfig, storage: str, messages: Messages = no_messages
    ) -> None:
        """`messages` opens a folder on S3 for what a job says and gives the job's environment."""
        self.config = config
        self._storage = storage
        self._messages = messages
        self._processing = Processing(config)

    def run(self, job: Job, on_progress: OnProgress | None = None) -> JobResult:
        """Run the job and wait; an interrupt stops it. The end of this process does not.

        Raises:
            JobFailed: the job failed or was stopped.
            PermissionError, RuntimeError: SageMaker refuses the job.
            ConnectionError: SageMaker or the storage cannot be reached; the job goes on.
        """
        start = time.monotonic()
        stem = job_stem(job, self._storage)
        folder = open_store(f"{self._storage}/{JOBS}/{stem}")
        for retry in range(self.config.retries + 1):
            number, running = self._processing.latest(stem)
            number += running is None
            ended = self._once(job, folder, f"{stem}-{number}", running, on_progress)
            reason = _reason(ended)
            if ended.processing_job_status == "Completed":
                break
            if not RETRIED.search(reason) or retry == self.config.retries:
                _clear(folder)
                raise JobFailed(job.name, reason, self._processing.log_tail(f"{stem}-{number}"))
        progress = _progress(folder, f"{stem}-{number}")
        _clear(folder)
        workers = self.config.instances * self.config.processes
        return JobResult(progress, workers, time.monotonic() - start)

    def _once(
        self,
        job: Job,
        folder: ObjectStore,
        name: str,
        running: "ProcessingJob | None",
        on_progress: OnProgress | None,
    ) -> "ProcessingJob":
        """Start a job, or join the running one, and wait for its end."""
        with self._messages(f"{folder.url}/{name}/messages") as environment:
            if running is None:
                self._put_order(job, folder)
                place = {PROGRESS: f"{folder.url}/{name}/progress"}
                running = self._processing.start(name, folder.url, {**environment, **place})
            try:
                while running.processing_job_status in ("InProgress", "Stopping"):
                    time.sleep(self.config.poll_seconds)
                    running.refresh()
                    if on_progress is not None:
                        on_progress(_progress(folder, name))
            except BaseException as error:
                if not isinstance(error, Exception):  # somebody stops the run
                    running.stop()
                raise
        return running

    def _put_order(self, job: Job, folder: ObjectStore) -> None:
        shared = self.config.model_dump(include={*LocalRunnerConfig.model_fields} - {"kind"})
        runner = LocalRunnerConfig(kind="local", **shared)
        order = Order(module=job.module, config=dict(job.config), name=job.name, runner=runner)
        for name, data in sorted(job.units.items()):
            folder.put(f"todo/{name}", data)
        folder.put("config/order.json", order.model_dump_json().encode())


def job_stem(job: Job, storage: str) -> str:
    """The name of a job without its number: equal for equal work, of at most 50 characters."""
    digest = hashlib.sha256(json.dumps([job.module, job.config, storage]).encode())
    for name, data in sorted(job.units.items()):
        digest.update(f"{name} {hashlib.sha256(data).hexdigest()}\n".encode())
    about = re.sub(r"[^a-zA-Z0-9]+", "-", job.name).strip("-")[:27].strip("-")
    return f"dataproc-{about}-{digest.hexdigest()[:12]}"


def _reason(job: "ProcessingJob") -> str:
    """Why a job did not complete: the worker's own message first, then the service's."""
    said = [job.exit_message, job.failure_reason]
    status = f"SageMaker job {job.processing_job_name}: {job.processing_job_status}"
    return ": ".join([status, *(text for text in said if isinstance(text, str) and text)])


def _progress(folder: ObjectStore, name: str) -> Progress:
    """The sum over the hosts, as each last left it."""
    paths = folder.list(f"{name}/progress/")["path"].to_list()
    return total(Progress(**json.loads(folder.get(path))) for path in sorted(paths))


def _clear(folder: ObjectStore) -> None:
    for path in folder.list()["path"].to_list():
        folder.delete(path)
