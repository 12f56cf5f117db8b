"""An output of a GPU that is still being computed, and the way of its numbers to the host."""

import time

import numpy as np
import torch


class Pending:
    """The first `count` rows of a tensor, copied to the host behind the work that makes them.

    On a CPU they are there at once. `on_device` are they where they were computed.
    """

    def __init__(self, output: torch.Tensor, count: int, started: float) -> None:
        self.on_device = output[:count]
        self._started = started
        self._event: torch.cuda.Event | None = None
        self._host = self.on_device
        if output.is_cuda:
            self._host = torch.empty(
                self.on_device.shape, dtype=output.dtype, device="cpu", pin_memory=True
            )
            self._host.copy_(self.on_device, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        self.seconds = time.monotonic() - started

    def wait(self) -> np.ndarray:
        """The rows. `seconds` is then what passed since they were asked for."""
        if self._event is not None:
            self._event.synchronize()
            self.seconds = time.monotonic() - self._started
        return self._host.numpy()


def to_device(rows: list[np.ndarray], size: int, device: str) -> torch.Tensor:
    """Stacked arrays of one shape on a device, padded with zeros to `size` rows.

    The copy to a GPU goes through pinned memory and is not waited for.
    """
    dtype = torch.from_numpy(np.empty(0, rows[0].dtype)).dtype
    shape = (max(size, len(rows)), *rows[0].shape)
    host = torch.empty(shape, dtype=dtype, pin_memory=device != "cpu")
    np.stack(rows, out=host.numpy()[: len(rows)])
    host[len(rows) :] = 0
    return host.to(device, non_blocking=True)
