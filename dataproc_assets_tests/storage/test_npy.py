from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest

from dataproc_assets.storage.npy import read_npy

VALUE = np.arange(24, dtype=np.float16).reshape(2, 3, 4)


def as_file(array: np.ndarray) -> bytes:
    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_threads_may_read_at_once():
    data = as_file(VALUE)
    with ThreadPoolExecutor(16) as pool:
        read = list(pool.map(lambda _: read_npy(data), range(5_000)))
    assert all(np.array_equal(array, VALUE) and array.dtype == np.float16 for array in read)


def test_nothing_that_is_pickled_and_no_half_file_is_read():
    with pytest.raises(ValueError, match="pickle"):
        read_npy(as_file(np.array([object()], dtype=object)))
    with pytest.raises((ValueError, EOFError)):
        read_npy(as_file(VALUE)[:-1])
    with pytest.raises((ValueError, EOFError)):
        read_npy(b"")
