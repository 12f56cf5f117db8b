"""Frames of every type that tables hold, for the tests of storage."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import strategies as st

TAGS = pl.List(pl.Struct({"tag": pl.String, "p": pl.Float32}))
SCHEMA = pl.Schema(
    {
        "image_key": pl.String,
        "text": pl.String,
        "blob": pl.Binary,
        "count": pl.Int32,
        "hash": pl.UInt64,
        "score": pl.Float64,
        "keep": pl.Boolean,
        "time": pl.Datetime("us", "UTC"),
        "day": pl.Date,
        "vector": pl.Array(pl.Float16, 2),
        "lists": pl.List(pl.List(pl.String)),
        "pair": pl.Struct({"a": pl.Int64, "b": pl.String}),
        "tags": TAGS,
    }
)
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TEXT = st.sampled_from(["", "a", "ab", "ü", "null"])
_NUMBER = st.sampled_from([0.0, 0.5, -1.0])


def _maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


_VALUES: dict[str, st.SearchStrategy] = {
    "image_key": _TEXT,
    "text": _TEXT,
    "blob": st.sampled_from([b"", b"\0", b"ab"]),
    "count": st.integers(-2, 2),
    "hash": st.sampled_from([0, 1, 2**64 - 1]),
    "score": _NUMBER,
    "keep": st.booleans(),
    "time": st.integers(0, 3).map(lambda days: EPOCH + timedelta(days=days)),
    "day": st.integers(0, 3).map(lambda days: (EPOCH + timedelta(days=days)).date()),
    "vector": st.lists(_maybe(_NUMBER), min_size=2, max_size=2),
    "lists": st.lists(_maybe(st.lists(_maybe(_TEXT), max_size=2)), max_size=2),
    "pair": st.fixed_dictionaries({"a": _maybe(st.integers(0, 1)), "b": _maybe(_TEXT)}),
    "tags": st.lists(
        _maybe(st.fixed_dictionaries({"tag": _maybe(_TEXT), "p": _maybe(_NUMBER)})), max_size=2
    ),
}
cells = {name: _maybe(values) for name, values in _VALUES.items()}
rows = st.lists(st.fixed_dictionaries(cells), max_size=6)


def frame(items: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as a frame of SCHEMA."""
    columns = {
        name: pl.Series(name, [item[name] for item in items], dtype=dtype)
        for name, dtype in SCHEMA.items()
    }
    return pl.DataFrame(columns)


def chunked(whole: pl.DataFrame, cuts: list[int]) -> pl.DataFrame:
    """The same rows in chunks that begin at `cuts`."""
    edges = [0, *sorted(min(cut, whole.height) for cut in cuts), whole.height]
    parts = [whole[start:end] for start, end in pairwise(edges)]
    return pl.concat(parts, rechunk=False)


def many(count: int) -> pl.DataFrame:
    """`count` rows that differ, with strings, nulls and lists."""
    number = pl.int_range(count, eager=True)
    return pl.DataFrame({"n": number}).select(
        image_key=pl.format("pixiv/{}_p0", "n"),
        score=(pl.col("n") * 7919 % 1009) / 8,
        text=pl.when(pl.col("n") % 3 > 0).then(pl.format("text {}", pl.col("n") % 50)),
        tags=pl.concat_list(pl.format("t{}", pl.col("n") % 7), pl.format("u{}", pl.col("n") % 5)),
    )


def canonical(items: list[dict[str, Any]]) -> str:
    """Rows as text, to say whether two lists of them are the same."""
    return json.dumps(items, sort_keys=True, default=repr)
