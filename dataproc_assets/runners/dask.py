"""A job on a Dask cluster that runs already: one process a task, on whichever worker has room."""

import threading
import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from dataproc_assets.config.runners import DaskRunnerConfig
from dataproc_assets.runners.base import Job, JobFailed, JobResult, OnProgress, Progress, total
from dataproc_assets.runners.dask_task import TaskFailed, run_share

if TYPE_CHECKING:
    from distributed import Client, Future

POLL_SECONDS = 1.0


class DaskRunner:
    """Gives each task its share of the units; the task starts the same process as everywhere.

    A task whose Dask worker is lost is started again on another by the scheduler, and takes up
    from the finished parts.
    """

    def __init__(self, config: DaskRunnerConfig) -> None:
        self.config = config

    def run(self, job: Job, on_progress: OnProgress | None = None) -> JobResult:
        """Run the job and wait. An interrupt, or the end of this process, ends the tasks.

        Raises:
            JobFailed: a task failed; the others are stopped.
            ConnectionError: there is no scheduler at the address, or no worker that a task fits.
        """
        start = time.monotonic()
        with self._client() as client:
            self._check_room(client)
            name = f"{job.name}-{uuid4().hex[:8]}"
            heard: dict[str, Progress] = {}

            def hear(event: tuple[float, dict[str, Any]]) -> None:
                heard[event[1]["task"]] = Progress(**event[1]["progress"])

            client.subscribe_topic(name, hear)
            tasks = self._submit(client, name, job)
            try:
                self._wait(job, tasks, heard, on_progress)
            finally:
                client.cancel(tasks, force=True)
                client.unsubscribe_topic(name)
        return JobResult(total(heard.values()), len(tasks), time.monotonic() - start)

    def _client(self) -> "Client":
        from distributed import Client

        try:
            return Client(
                self.config.address, timeout=self.config.connect_seconds, set_as_default=False
            )
        except OSError as error:
            raise ConnectionError(
                f"{self.config.address}: no Dask scheduler answers there: start it, or correct "
                "runner.address in the profile"
            ) from error

    def _check_room(self, client: "Client") -> None:
        """Raise ConnectionError where no worker has what a task takes: it would wait for ever."""
        deadline = time.monotonic() + self.config.connect_seconds
        while True:
            workers = client.scheduler_info(n_workers=-1)["workers"].values()
            offers = [worker.get("resources", {}) for worker in workers]
            needs = self.config.resources.items()
            if any(all(offer.get(name, 0) >= amount for name, amount in needs) for offer in offers):
                return
            if time.monotonic() > deadline:
                wanted = ", ".join(f"{name}={amount:g}" for name, amount in needs) or "anything"
                raise ConnectionError(
                    f"{self.config.address}: none of {len(offers)} Dask workers offers {wanted}: "
                    "start workers with --resources, or correct runner.resources in the profile"
                )
            time.sleep(min(POLL_SECONDS, self.config.connect_seconds / 10))

    def _submit(self, client: "Client", name: str, job: Job) -> "list[Future]":
        count = min(self.config.workers, max(1, len(job.units)))
        tasks = []
        for rank in range(count):
            units = {unit: job.units[unit] for unit in sorted(job.units)[rank::count]}
            mine = Job(job.module, dict(job.config), units, job.name)
            tasks.append(
                client.submit(
                    run_share,
                    # by value: what is scattered is lost with the worker that holds it
                    *(name, rank, mine, self.config),
                    key=f"{name}-{rank}",
                    resources=self.config.resources or None,
                    pure=False,
                )
            )
        return tasks

    def _wait(
        self,
        job: Job,
        tasks: "list[Future]",
        heard: dict[str, Progress],
        on_progress: OnProgress | None,
    ) -> None:
        """Wait for all tasks; their last progress is their result."""
        changed = threading.Event()
        for task in tasks:
            task.add_done_callback(lambda _: changed.set())
        left = tasks
        while left:
            changed.wait(POLL_SECONDS)
            changed.clear()
            ended = [task for task in left if task.done()]
            for task in ended:
                heard[str(task.key)] = _result(job, task)
            left = [task for task in left if task not in ended]
            if on_progress is not None:
                on_progress(total(heard.values()))


def _result(job: Job, task: "Future") -> Progress:
    """What a task that ended has done. Raises JobFailed where it failed."""
    try:
        return Progress(**task.result())
    except TaskFailed as error:
        raise JobFailed(job.name, error.reason, error.log_tail) from error
    except Exception as error:  # whatever Dask says of a worker that it lost
        raise JobFailed(job.name, f"{task.key}: {type(error).__name__}: {error}", "") from error
