"""Content digests: over the rows of a table, never over its file."""

import hashlib
import json
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc


def json_digest(value: Any) -> str:
    """SHA-256 (hex) of a value's canonical JSON: sorted keys, no blanks, dates in ISO form."""

    def default(item: Any) -> str:
        if isinstance(item, date):
            return item.isoformat()
        raise TypeError(f"{type(item).__name__} has no canonical JSON")

    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=default
    )
    return hashlib.sha256(text.encode()).hexdigest()


def bytes_digest(data: bytes) -> str:
    """SHA-256 (hex) of bytes."""
    return hashlib.sha256(data).hexdigest()


def frame_digest(frame: pl.DataFrame) -> str:
    """SHA-256 (hex) over column names, types and values in row order.

    Equal frames have equal digests whatever their chunks, and whatever bytes lie under nulls.
    """
    digest = hashlib.sha256()
    digest.update(str(frame.height).encode())
    for series in frame.iter_columns():
        digest.update(f"\0{series.name}\0{series.dtype}\0".encode())
        _update(digest, pa.array(series.rechunk().to_arrow()))
    return digest.hexdigest()


def _update(digest: Any, array: Any) -> None:
    """Feed an Arrow array: its validity, then its values with nulls as zero, level by level."""
    digest.update(np.packbits(np.asarray(array.is_valid())).tobytes())
    kind = array.type
    if pa.types.is_null(kind):
        return
    if pa.types.is_dictionary(kind):
        _update(digest, array.dictionary_decode())
    elif pa.types.is_struct(kind):
        for field in array.flatten():
            _update(digest, field)
    elif pa.types.is_fixed_size_list(kind):
        _update(digest, array.flatten())
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        digest.update(_numbers(pc.call_function("list_value_length", [array]).fill_null(0)))
        _update(digest, array.flatten())
    elif pa.types.is_floating(kind):
        digest.update(_numbers(array.cast(pa.float64()).fill_null(0.0)))
    elif pa.types.is_boolean(kind):
        digest.update(np.packbits(np.asarray(array.fill_null(False))).tobytes())
    elif pa.types.is_integer(kind):
        digest.update(_numbers(array.fill_null(0)))
    elif pa.types.is_temporal(kind):
        width = pa.int32() if kind.bit_width == 32 else pa.int64()
        digest.update(_numbers(array.cast(width).fill_null(0)))
    else:
        values = array.cast(pa.large_binary()).fill_null(b"")
        digest.update(_numbers(pc.call_function("binary_length", [values])))
        start, end = values.offset, values.offset + len(values)
        offsets = np.frombuffer(values.buffers()[1], dtype=np.int64)
        data = values.buffers()[2]
        if data is not None and end > start:
            digest.update(memoryview(data)[int(offsets[start]) : int(offsets[end])])


def _numbers(array: Any) -> bytes:
    values = array.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).tobytes()
