"""How a network of torch runs on a device: in which precision, and whether compiled."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch._dynamo.exc import BackendCompilerFailed

from dataproc_assets.config.metric_base import Precision

Network = Callable[[torch.Tensor], torch.Tensor]


class CompileError(Exception):
    """torch.compile does not work on this machine."""


def compute_dtype(device: str, precision: Precision) -> torch.dtype:
    """bfloat16, where it is asked for and the device computes with it; else float32.

    A CPU stays in float32: one without matrix units for bfloat16 took twice the time with it. So
    does a GPU that only emulates it.
    """
    if precision == "float32" or not device.startswith("cuda"):
        return torch.float32
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float32


def autocast(device: str, precision: Precision) -> AbstractContextManager[object]:
    """Matrix products in the `compute_dtype`."""
    if compute_dtype(device, precision) == torch.float32:
        return nullcontext()
    return torch.autocast("cuda", torch.bfloat16)


def forward_of(
    network: Network, device: str, precision: Precision, *, compiled: bool
) -> Callable[[np.ndarray], torch.Tensor]:
    """A network as a function of a float32 array; what it returns is float32 on the device.

    Compiled, it is specialised for the shape of its batches, which is why that should be one.

    Raises:
        CompileError: when it is called, where torch.compile does not work.
    """
    run = compiled_network(network) if compiled else network

    def forward(block: np.ndarray) -> torch.Tensor:
        with torch.inference_mode(), autocast(device, precision):
            return run(torch.from_numpy(block).to(device)).float()

    return forward


def compiled_network(network: Network) -> Network:
    """A network that is compiled for each shape it is called with.

    Raises:
        CompileError: when it is called, where torch.compile does not work.
    """
    fast = torch.compile(network, dynamic=False)

    def run(batch: torch.Tensor) -> torch.Tensor:
        try:
            return fast(batch)
        except BackendCompilerFailed as error:
            reason = str(error).partition("\n")[0]
            raise CompileError(
                "runner.compile is on, and torch.compile does not work here: install a C++ "
                f"compiler such as g++, or say `compile: false` in the profile ({reason})"
            ) from error

    return run
