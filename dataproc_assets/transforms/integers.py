"""Arrays of integers: several packed into one that sorts as they do, and runs of equal ones."""

import numpy as np
from numpy.typing import NDArray


def starts_of(ordered: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where the runs of equal values begin."""
    changes = np.empty(len(ordered), np.bool_)
    changes[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=changes[1:])
    return np.flatnonzero(changes)


def ranges(starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers from each start on, as many as its size says."""
    ends = np.cumsum(sizes)
    return np.repeat(starts - (ends - sizes), sizes) + np.arange(ends[-1] if len(ends) else 0)


def bits_of(count: int) -> np.uint64:
    """How many bits the numbers below `count` take."""
    return np.uint64(max(count - 1, 1).bit_length())


def mask_of(bits: np.uint64) -> np.uint64:
    """The lowest bits, set: what keeps of a packed number its last part."""
    return (np.uint64(1) << bits) - np.uint64(1)
