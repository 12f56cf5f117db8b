"""Arithmetic on outputs, row by row: a row's bits never depend on its neighbours."""

import numpy as np


def rows_by(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Dot products [n, k] of rows [n, d] with a matrix [k, d], in float32.

    One row at a time: a matrix product may sum in another order when n differs.
    """
    return np.stack([matrix @ row for row in rows.astype(np.float32)])


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """float64, of logits of any shape."""
    with np.errstate(over="ignore"):  # of exp, where the result is 0 all the same
        return 1 / (1 + np.exp(-logits.astype(np.float64)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """float64 [n, k], of logits [n, k]."""
    exact = logits.astype(np.float64)
    powers = [np.exp(row - row.max()) for row in exact]
    return np.stack([power / power.sum() for power in powers])
