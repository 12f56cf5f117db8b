"""The contract of a job runner: what it is given, what it reports, how it fails."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

LOG_TAIL_LINES = 20


@dataclass(frozen=True)
class Job:
    """A module's `main` over unit files, on every worker of the runner.

    Attributes:
        module: the module that is run with `python -m`.
        config: what it finds as `processing/input/config/job.json`.
        units: unit file name -> its bytes, which it finds in `processing/input/todo/`.
        name: what logs and messages call the job, for instance `metrics-pixiv`.
    """

    module: str
    config: Mapping[str, Any]
    units: Mapping[str, bytes]
    name: str


@dataclass(frozen=True)
class Progress:
    """The sum over the workers. `images_per_second` is that since each worker's start."""

    done: int = 0
    total: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    images_per_second: float = 0.0
    parts: int = 0


def total(parts: Iterable[Progress]) -> Progress:
    """The sum over the workers."""
    workers = list(parts)
    errors: Counter[str] = Counter()
    for worker in workers:
        errors.update(worker.errors)
    return Progress(
        done=sum(worker.done for worker in workers),
        total=sum(worker.total for worker in workers),
        errors=dict(sorted(errors.items())),
        images_per_second=sum(worker.images_per_second for worker in workers),
        parts=sum(worker.parts for worker in workers),
    )


@dataclass(frozen=True)
class JobResult:
    """What a finished job did.

    `joined` names the job, where another one for the same purpose already ran: it was waited for
    in place of the own one, and what the own one was to do beyond it is still to do.
    """

    progress: Progress
    workers: int
    seconds: float
    joined: str = ""


class JobFailed(RuntimeError):  # noqa: N818
    """A job that did not finish. Its finished parts stay; running it again takes up from there.

    `reason` is the worker's own message, or how it ended; `log_tail` its last lines.
    """

    def __init__(self, name: str, reason: str, log_tail: str) -> None:
        super().__init__(
            f"job {name} failed: {reason}\n"
            "Its finished parts are kept: run it again to go on from there. Last lines of its log:"
            f"\n{log_tail}"
        )
        self.reason = reason
        self.log_tail = log_tail


OnProgress = Callable[[Progress], None]

# who shows the progress of this process's jobs as they go on, by what a job is of
watching: ContextVar[Callable[[str, Progress], None] | None] = ContextVar("watching", default=None)


class Runner(Protocol):
    """Runs a job to its end."""

    def run(self, job: Job, on_progress: OnProgress | None = None) -> JobResult:
        """Run the job and wait; `on_progress` is called about every second, and at the end.

        Raises:
            JobFailed: a worker failed; the others are stopped.
        """
        ...
