"""What a run says on a terminal, with a bar for the job that is at work below it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dataproc_assets.runners.base import Progress as JobProgress
from dataproc_assets.runners.base import watching

Say = Callable[[str], None]


@contextmanager
def live(plain: Say, console: Console | None = None) -> Iterator[Say]:
    """Says lines, and shows bars where there is a terminal; elsewhere the lines go to `plain`."""
    console = console or Console(file=sys.stdout)
    if not console.is_terminal:
        yield plain
        return
    columns = (
        TextColumn("  {task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:.1f}/s", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[errors]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        tasks = {}

        def show(what: str, job: JobProgress) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=None, rate=0.0, errors="")
            errors = ", ".join(f"{kind} {count}" for kind, count in job.errors.items() if count)
            bars.update(
                tasks[what],
                total=job.total or None,  # nobody knows before the workers have counted
                completed=job.done,
                rate=job.images_per_second,
                errors=errors,
            )
            if job.total and job.done == job.total:
                bars.remove_task(tasks.pop(what))

        def say(line: str) -> None:
            bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

        token = watching.set(show)
        try:
            yield say
        finally:
            watching.reset(token)
