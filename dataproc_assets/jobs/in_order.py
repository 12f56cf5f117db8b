"""A thread of its own for work that must be done in order but that nothing waits for."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Call = Callable[[], None]


class InOrder:
    """Runs calls on one thread in the order they come; at most `ahead` of them wait.

    The first error ends the work: later calls are not run, and it is raised at the next `submit`
    or at the end of the `with` block. Where the block itself fails, what was handed in is done.
    """

    def __init__(self, ahead: int) -> None:
        self._queue: queue.Queue[Call | None] = queue.Queue(ahead)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def submit(self, call: Call) -> None:
        """Hand in a call; waits while `ahead` others wait.

        Raises:
            Exception: whatever an earlier call raised.
        """
        self._queue.put(call)
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (call := self._queue.get()) is not None:
            if self._error is None:
                try:
                    call()
                except BaseException as failure:
                    self._error = failure
