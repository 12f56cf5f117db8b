"""Lists taken apart into numbers and put together again, without a copy of their values.

What is said of millions of tags is decided on the few thousand different ones; the lists
themselves are only sorted and gathered, as arrays of integers.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class Flat(NamedTuple):
    """A column of lists as one column of values.

    `offsets` int64, one more than there are rows: row i has the values from `offsets[i]` up to
    `offsets[i + 1]`. A null list counts as an empty one.
    """

    values: pl.Series
    offsets: NDArray[np.int64]


class Encoded(NamedTuple):
    """Texts as numbers.

    `codes` uint32 index `texts`, the different ones; a null has the code after the last.
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


def pick(texts: pl.Series, index: NDArray) -> pl.Series:
    """The texts of these indices; `texts` has no null.

    A text is 16 bytes that say where it lies (Arrow's layout of string views), and these alone
    are gathered.
    """
    views = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.newest())
    _, where, *data = views.buffers()
    placed = np.frombuffer(where, _VIEW)[views.offset : views.offset + len(views)]
    taken = pa.py_buffer(placed.take(index))
    return _series(texts.name, pa.Array.from_buffers(views.type, len(index), [None, taken, *data]))


_VIEW = np.dtype(np.complex128)  # of 16 bytes, the fastest to gather


def pick_joined(texts: pa.Array, index: NDArray, offsets: NDArray[np.int64]) -> pl.Series:
    """For each list of indices, its texts as one: they lie side by side once they are taken.

    `texts` is a large_string array, as `laid_out` makes it once for many calls.
    """
    taken = pc.take(texts, pa.array(index), boundscheck=False)
    bounds = np.frombuffer(taken.buffers()[1], np.int64)[taken.offset :][offsets]
    buffers = [None, pa.py_buffer(np.ascontiguousarray(bounds)), taken.buffers()[2]]
    return _series("", pa.Array.from_buffers(taken.type, len(offsets) - 1, buffers))


def compact(texts: pl.Series) -> pl.Series:
    """The texts in one buffer: what was picked of others refers to all of their buffers."""
    return _series(texts.name, laid_out(texts))


def laid_out(texts: pl.Series) -> pa.Array:
    """The texts one behind the other in memory (Arrow's large_string)."""
    return texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def _series(name: str, array: pa.Array) -> pl.Series:
    return pl.Series(name, array, dtype=pl.String)


def encode(texts: pl.Series) -> Encoded:
    """Number texts by their alphabetical order, so that codes compare as the texts do."""
    different, codes = number(texts)
    table = different.to_frame("text").with_row_index("code").sort("text")
    order = np.empty(table.height + 1, np.uint32)
    order[table["code"].to_numpy()] = np.arange(table.height, dtype=np.uint32)
    order[-1] = table.height
    return Encoded(table["text"], order[codes])


def number(texts: pl.Series) -> Encoded:
    """Number texts, in no order of any meaning: one that differs from time to time."""
    known = texts.drop_nulls()
    # categories of its own: they end with it, and no other thread waits for them
    codes = _codes(known, pl.Categories.random())
    place = np.zeros(int(codes.max()) + 1 if len(codes) else 0, np.uint32)
    place[codes] = np.arange(len(codes), dtype=np.uint32)
    if len(known) < len(texts):
        every = np.full(len(texts), len(place), np.uint32)
        every[texts.is_not_null().to_numpy()] = codes
        codes = every
    return Encoded(compact(pick(known, place)), codes)


_PIECE = 1 << 20  # texts that one thread numbers at a time


def _codes(texts: pl.Series, categories: pl.Categories) -> NDArray[np.uint32]:
    """The texts as categories; a cast takes one thread, so that many are cast in pieces."""
    kind, starts = pl.Categorical(categories), range(0, max(len(texts), 1), _PIECE)
    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        pieces = list(pool.map(lambda start: texts.slice(start, _PIECE).cast(kind), starts))
    # all of them at once, for categories of which no series is left begin anew
    return np.concatenate([piece.to_physical().to_numpy() for piece in pieces])
