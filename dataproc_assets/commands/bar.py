"""A bar of bytes for work that takes long."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

TENTHS = 10


@contextmanager
def bytes_bar(
    what: str, total: int, say: Callable[[str], None], console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Gives a function that is told how many more bytes are done.

    On a terminal a bar is shown; elsewhere a line is said at each tenth.
    """
    console = console or Console(file=sys.stderr)
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bars:
            task = bars.add_task(what, total=total)
            yield lambda size: bars.advance(task, size)
        return
    done = 0

    def count(size: int) -> None:
        nonlocal done
        before = done * TENTHS // max(total, 1)
        done += size
        now = done * TENTHS // max(total, 1)
        if now > before:
            say(f"{what}: {now * TENTHS} %")

    yield count
