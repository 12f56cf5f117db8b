"""Work on threads in order, where an item that takes too long is given up, not waited for."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class TooManyHangsError(RuntimeError):
    """So many items hang that their threads would take the machine."""


@dataclass
class Ticket(Generic[Item, Result]):
    """An item on its way through a worker."""

    item: Item
    started: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)
    deadline: float | None = None
    abandoned: bool = False
    result: Result | None = None
    error: BaseException | None = None

    def start_clock(self, seconds: float) -> None:
        """From now on the item has so many seconds. What comes before is not limited here."""
        self.deadline = time.monotonic() + seconds
        self.started.set()


class OrderedPool(Generic[Item, Result]):
    """`threads` workers that give results in the order of the items.

    Neither Pillow nor a model's preprocessing can be interrupted. So a worker whose item is over
    its deadline is abandoned and replaced: its thread is a daemon, ends when the item does and
    does not keep the process alive. After `max_hangs` that have not ended, `map` raises.
    """

    def __init__(
        self,
        work: Callable[[Ticket[Item, Result]], Result],
        too_slow: Callable[[Item], Result],
        *,
        threads: int,
        ahead: int,
    ) -> None:
        self._work = work
        self._too_slow = too_slow
        self._threads = threads
        self._ahead = max(ahead, threads)
        self._max_hangs = 4 * threads
        self._started = 0
        self._hanging: list[Ticket[Item, Result]] = []
        self._queue: queue.SimpleQueue[Ticket[Item, Result] | None] = queue.SimpleQueue()

    def map(self, items: Iterable[Item]) -> Iterator[Result]:
        """Results in order; at most `ahead` items are read or held at a time.

        Raises:
            TooManyHangsError: too many items hang at once.
            Exception: whatever the work raised, at its item's place.
        """
        for _ in range(self._threads):
            self._start_worker()
        waiting: deque[Ticket[Item, Result]] = deque()
        try:
            for item in items:
                if len(waiting) >= self._ahead:
                    yield self._wait(waiting.popleft())
                ticket: Ticket[Item, Result] = Ticket(item)
                waiting.append(ticket)
                self._queue.put(ticket)
            while waiting:
                yield self._wait(waiting.popleft())
        finally:
            for ticket in waiting:
                ticket.abandoned = True
            for _ in range(self._started):
                self._queue.put(None)

    def _start_worker(self) -> None:
        self._started += 1
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while (ticket := self._queue.get()) is not None:
            if ticket.abandoned:
                continue
            try:
                ticket.result = self._work(ticket)
            except BaseException as error:
                ticket.error = error
            ticket.done.set()
            ticket.started.set()
            if ticket.abandoned:
                return

    def _wait(self, ticket: Ticket[Item, Result]) -> Result:
        ticket.started.wait()
        while not ticket.done.wait(_left(ticket.deadline)):
            if _left(ticket.deadline) == 0:
                return self._give_up(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]

    def _give_up(self, ticket: Ticket[Item, Result]) -> Result:
        ticket.abandoned = True
        self._hanging = [hanging for hanging in self._hanging if not hanging.done.is_set()]
        self._hanging.append(ticket)
        if len(self._hanging) > self._max_hangs:
            raise TooManyHangsError(
                f"{len(self._hanging)} images hang in the decoder at once; "
                "look at the rows `too_slow`, or raise max_seconds in the metric pass's decode"
            )
        self._start_worker()
        return self._too_slow(ticket.item)


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
