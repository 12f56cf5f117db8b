"""The search's float products on a GPU, in full float32, whose error bound is the processor's."""

import numpy as np
import torch


class TorchProducts:
    """Products of torch on a device; TF32 is off, since its error is beyond the screen's bound."""

    def __init__(self, block_rows: int, device: str) -> None:
        self.block_rows = block_rows
        self._device = torch.device(device)
        torch.set_float32_matmul_precision("highest")

    def place(self, vectors: np.ndarray) -> torch.Tensor:
        """The vectors on the device."""
        return torch.from_numpy(np.ascontiguousarray(vectors)).to(self._device)

    def reaching(
        self, left: torch.Tensor, right: torch.Tensor, bound: np.float32
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows whose product is at least `bound`."""
        found = torch.nonzero(torch.mm(left, right.T) >= float(bound), as_tuple=True)
        i, j = (positions.cpu().numpy() for positions in found)
        return i, j
