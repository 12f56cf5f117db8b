"""Lists taken apart into numbers and put together again, without a copy of their values.

What is said of millions of tags is decided on the few thousand different ones; the lists
themselves are only sorted and gathered, as arrays of integers.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray


class Flat(NamedTuple):
    """A column of lists as one column of values.

    `offsets` int64, one more than there are rows: row i has the values from `offsets[i]` up to
    `offsets[i + 1]`. A null list counts as an empty one.
    """

    values: pl.Series
    offsets: NDArray[np.int64]

    @property
    def rows(self) -> NDArray[np.int64]:
        """The row of each value."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class Encoded(NamedTuple):
    """Texts as numbers.

    `codes` uint32 index `texts`, the different ones in alphabetical order, so codes compare as
    the texts do; a null has the code after the last.
    """

    texts: pl.Series
    codes: NDArray[np.uint32]


def flatten(lists: pl.Series) -> Flat:
    """Take a column of lists apart."""
    sizes = lists.list.len().fill_null(0).to_numpy()
    return Flat(lists.explode(empty_as_null=False, keep_nulls=False), offsets_of(sizes))


def offsets_of(sizes: NDArray) -> NDArray[np.int64]:
    """The offsets of lists of such sizes."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def nest(values: pl.Series, offsets: NDArray[np.int64]) -> pl.Series:
    """The column of lists that `flatten` takes apart into these."""
    inner = values.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    # from buffers: `from_arrays` would look at every byte of every text again
    kind, bounds = pa.large_list(inner.type), pa.py_buffer(np.ascontiguousarray(offsets, np.int64))
    lists = pa.Array.from_buffers(kind, len(offsets) - 1, [None, bounds], children=[inner])
    return pl.Series(values.name, lists, dtype=pl.List(values.dtype))


def encode(texts: pl.Series) -> Encoded:
    """Number texts by their alphabetical order."""
    # categories of its own: they end with it, and no other thread waits for them
    coded = texts.cast(pl.Categorical(pl.Categories.random()))
    different = coded.unique().drop_nulls()
    table = pl.DataFrame({"text": different.cast(pl.String), "code": different.to_physical()})
    table = table.sort("text")
    numbers = np.zeros(max(table.height, 1), np.uint32)
    numbers[table["code"].to_numpy()] = np.arange(table.height, dtype=np.uint32)
    physical = coded.to_physical()
    if not texts.null_count():
        return Encoded(table["text"], numbers[physical.to_numpy()])
    codes = numbers[physical.fill_null(0).to_numpy()]
    codes[texts.is_null().to_numpy()] = table.height
    return Encoded(table["text"], codes)
