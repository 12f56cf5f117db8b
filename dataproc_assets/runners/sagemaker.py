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
from dataproc_assets.runners.processing import RETRIED, UNFINISHED, Processing
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

    One job a name and storage root is at work at a time. One that already runs, because whoever
    started it was lost, is joined; no second one is started beside it.
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
        order, stem = self._order(job), job_stem(job.name, self._storage)
        retries = self.config.retries
        while True:
            number, running = self._processing.latest(stem)
            name = f"{stem}-{number + (running is None)}"
            folder = open_store(f"{self._storage}/{JOBS}/{name}")
            own = running is None or _holds(folder, order)
            ended = self._once(order, folder, name, running, on_progress)
            progress = _progress(folder)
            _clear(folder)
            status, reason = ended.processing_job_status, _reason(ended)
            if status == "Completed":
                workers = self.config.instances * self.config.processes
                seconds = time.monotonic() - start
                return JobResult(progress, workers, seconds, "" if own else name)
            if running is not None and status == "Stopped":
                continue  # somebody had stopped it before it was joined
            if not RETRIED.search(reason) or not retries:
                raise JobFailed(job.name, reason, self._processing.log_tail(name))
            retries -= 1

    def _once(
        self,
        order: Mapping[str, bytes],
        folder: ObjectStore,
        name: str,
        running: "ProcessingJob | None",
        on_progress: OnProgress | None,
    ) -> "ProcessingJob":
        """Start a job, or join the running one, and wait for its end."""
        with self._messages(f"{folder.url}/messages") as environment:
            if running is None:
                for path, data in order.items():
                    folder.put(path, data)
                place = {PROGRESS: f"{folder.url}/progress"}
                running = self._processing.start(name, folder.url, {**environment, **place})
            try:
                while running.processing_job_status in UNFINISHED:
                    time.sleep(self.config.poll_seconds)
                    running.refresh()
                    if on_progress is not None:
                        on_progress(_progress(folder))
            except BaseException as error:
                if not isinstance(error, Exception):  # somebody stops the run
                    running.stop()
                raise
        return running

    def _order(self, job: Job) -> dict[str, bytes]:
        """What the hosts find, by path."""
        shared = self.config.model_dump(include={*LocalRunnerConfig.model_fields} - {"kind"})
        runner = LocalRunnerConfig(kind="local", **shared)
        order = Order(module=job.module, config=dict(job.config), name=job.name, runner=runner)
        units = {f"todo/{name}": data for name, data in sorted(job.units.items())}
        return {**units, "config/order.json": order.model_dump_json().encode()}


def job_stem(name: str, storage: str) -> str:
    """What the names of a job's processing jobs begin with, of at most 55 characters."""
    digest = hashlib.sha256(f"{name} {storage}".encode()).hexdigest()
    about = re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")[:32].strip("-")
    return f"dataproc-{about}-{digest[:12]}"


def _holds(folder: ObjectStore, order: Mapping[str, bytes]) -> bool:
    """Whether a job's folder holds this order: the same units, named by content, and no other."""
    path = "config/order.json"
    paths = set(folder.list()["path"])
    units = {one for one in paths if one.startswith("todo/")}
    return units == set(order) - {path} and path in paths and folder.get(path) == order[path]


def _reason(job: "ProcessingJob") -> str:
    """Why a job did not complete: the worker's own message first, then the service's."""
    said = [job.exit_message, job.failure_reason]
    status = f"SageMaker job {job.processing_job_name}: {job.processing_job_status}"
    return ": ".join([status, *(text for text in said if isinstance(text, str) and text)])


def _progress(folder: ObjectStore) -> Progress:
    """The sum over the hosts, as each last left it."""
    paths = folder.list("progress")["path"].to_list()
    return total(Progress(**json.loads(folder.get(path))) for path in sorted(paths))


def _clear(folder: ObjectStore) -> None:
    for path in folder.list()["path"].to_list():
        folder.delete(path)
