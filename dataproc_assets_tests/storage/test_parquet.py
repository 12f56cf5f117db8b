import hashlib
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.parquet import ROW_GROUP_ROWS, from_parquet, to_parquet
from dataproc_assets_tests.storage.frames import chunked, frame, many, rows

CODE = """
import hashlib
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets_tests.storage.frames import many
frame = many(150_000)
joined = frame.join(frame.select("image_key", other="score"), on="image_key").sort("image_key")
print(hashlib.sha256(to_parquet(joined)).hexdigest())
"""


@given(rows, st.lists(st.integers(0, 6), max_size=3))
def test_rows_come_back_and_chunks_do_not_show(items, cuts):
    whole = frame(items)
    data = to_parquet(chunked(whole, cuts))
    assert data == to_parquet(whole)
    assert from_parquet(data).equals(whole, null_equal=True)
    assert from_parquet(data).schema == whole.schema


def test_chunks_do_not_show_in_several_row_groups():
    whole = many(ROW_GROUP_ROWS + 100)
    assert to_parquet(chunked(whole, [1, 40_000, 65_540])) == to_parquet(whole)


@pytest.fixture(scope="module")
def one_thread() -> str:
    return _digest(1)


@pytest.mark.parametrize("threads", [2, 4, 8])
def test_threads_do_not_show(threads, one_thread):
    assert _digest(threads) == one_thread
    assert len(one_thread) == hashlib.sha256().digest_size * 2


def _digest(threads: int) -> str:
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads)}
    run = [sys.executable, "-c", CODE]
    return subprocess.run(
        run, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()
