import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.transforms import nested
from dataproc_assets.transforms.nested import encode, flatten, nest, offsets_of

TEXTS = st.lists(st.none() | st.text(max_size=40))


@given(st.lists(st.none() | TEXTS))
def test_lists_come_back_as_they_were(rows):
    lists = pl.Series("x", rows, dtype=pl.List(pl.String))
    values, offsets = flatten(lists)
    assert nest(values, offsets).to_list() == [row or [] for row in rows]
    assert values.to_list() == [text for row in rows for text in row or []]


def test_lists_of_structs_slices_and_chunks():
    kind = pl.List(pl.Struct({"a": pl.Int64, "b": pl.List(pl.String)}))
    one = pl.Series("x", [[{"a": 1, "b": ["p"]}], [], [{"a": 2, "b": []}] * 2], dtype=kind)
    many = pl.concat([one, one, one])[1:-1]
    flat = flatten(many)
    assert nest(*flat).dtype == kind and nest(*flat).to_list() == many.to_list()
    assert np.diff(flat.offsets).tolist() == [0, 2, 1, 0, 2, 1, 0]
    assert nest(flat.values, flat.offsets).name == "x"


@given(TEXTS)
def test_codes_compare_as_texts_do(texts):
    series = pl.Series("t", texts, dtype=pl.String)
    different, codes = encode(series)
    assert different.to_list() == sorted({text for text in texts if text is not None})
    names = [*different, None]
    assert [names[code] for code in codes] == texts


def test_texts_that_several_threads_number_have_one_code_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nested, "_PIECE", 7)
    texts = [None if n % 50 == 0 else f"text {n * n % 97}" for n in range(5_000)]
    different, codes = nested.number(pl.Series("t", texts))
    names = [*different, None]
    assert len(different) == different.n_unique() == len({*texts} - {None})
    assert [names[code] for code in codes] == texts


@pytest.mark.parametrize("sizes", [[], [0], [2, 0, 1]])
def test_offsets_of_sizes(sizes):
    assert offsets_of(np.array(sizes, np.uint32)).tolist() == [0, *np.cumsum(sizes).tolist()]
