"""Where the float products of a search are taken."""

from typing import Any, Protocol

import numpy as np


class Products(Protocol):
    """Where float32 products are taken: this processor, or a device with the same error bound."""

    block_rows: int

    def place(self, vectors: np.ndarray) -> Any:
        """The vectors where they are multiplied; rows can be sliced."""
        ...

    def reaching(self, left: Any, right: Any, bound: np.float32) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `left` and `right`, int64, whose product is at least `bound`."""
        ...


class NumpyProducts:
    """Products of NumPy's BLAS, in one buffer of `block_rows` ** 2 * 4 bytes."""

    def __init__(self, block_rows: int) -> None:
        self.block_rows = block_rows
        self._buffer = np.empty(block_rows**2, np.float32)

    def place(self, vectors: np.ndarray) -> np.ndarray:
        """The vectors themselves."""
        return vectors

    def reaching(
        self, left: np.ndarray, right: np.ndarray, bound: np.float32
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows whose product is at least `bound`."""
        # A contiguous view, for the last, smaller block too: the scan below is then one pass.
        products = self._buffer[: len(left) * len(right)].reshape(len(left), len(right))
        np.matmul(left, right.T, out=products)
        return np.divmod(np.flatnonzero(products >= bound), len(right))
