"""Reading NumPy's files in several threads at a time."""

import threading
from io import BytesIO

import numpy as np

# NumPy reads a header by `ast.literal_eval`, which Python 3.11 fails now and then where two threads
# do that at once: "AST constructor recursion depth mismatch" (CPython's issue 106905)
_ONE = threading.Lock()


def read_npy(data: bytes) -> np.ndarray:
    """The array in the bytes of an `.npy` file, without pickle.

    Raises ValueError, EOFError where they are none.
    """
    with _ONE:
        return np.load(BytesIO(data), allow_pickle=False)
