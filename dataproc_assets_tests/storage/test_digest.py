from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.storage.digest import bytes_digest, frame_digest, json_digest
from dataproc_assets_tests.storage.frames import canonical, cells, chunked, frame, many, rows


@given(rows, st.lists(st.integers(0, 6), max_size=3))
def test_chunks_do_not_show(items, cuts):
    whole = frame(items)
    assert frame_digest(chunked(whole, cuts)) == frame_digest(whole)


@given(rows, st.data())
def test_any_other_cell_is_another_digest(items, data):
    items = [*items, data.draw(st.fixed_dictionaries(cells))]
    name = data.draw(st.sampled_from(sorted(cells)))
    place = data.draw(st.integers(0, len(items) - 1))
    other = [dict(item) for item in items]
    other[place][name] = data.draw(cells[name])
    same = canonical(other) == canonical(items)
    assert (frame_digest(frame(other)) == frame_digest(frame(items))) is same


@given(rows, st.randoms())
def test_the_order_of_rows_shows(items, random):
    other = list(items)
    random.shuffle(other)
    same = canonical(other) == canonical(items)
    assert (frame_digest(frame(other)) == frame_digest(frame(items))) is same


def test_names_types_and_order_of_columns_show():
    one = pl.DataFrame({"a": [1], "b": [2]})
    others = [
        one.rename({"a": "c"}),
        one.cast({"a": pl.Int32}),
        one.select("b", "a"),
        one.drop("b"),
        one.clear(),
        one.clear().cast({"a": pl.Int32}),
    ]
    assert len({frame_digest(other) for other in [one, *others]}) == 7


def test_what_lies_under_a_null_does_not_show():
    def masked(kind: pa.DataType, under: list) -> pl.DataFrame:
        mask = pa.array([False, True, False])
        values = pa.array(under, kind)
        if pa.types.is_struct(kind):
            fields = [values.field(index) for index in range(kind.num_fields)]
            array = pa.StructArray.from_arrays(fields, fields=list(kind), mask=mask)
        elif pa.types.is_fixed_size_list(kind):
            array = pa.FixedSizeListArray.from_arrays(values.values, 2, mask=mask)
        else:
            hidden = pa.array([True, False, True])
            buffers = [hidden.buffers()[1], *values.buffers()[1:]]
            array = pa.Array.from_buffers(kind, 3, buffers)
        return pl.DataFrame({"x": pl.Series(pl.from_arrow(array))})

    pair = pa.struct([pa.field("a", pa.int64()), pa.field("b", pa.large_string())])
    vector = pa.list_(pa.float32(), 2)
    cases = [
        (pa.int64(), [1, 2, 3], [1, 9, 3]),
        (pa.float64(), [1.0, 2.0, 3.0], [1.0, float("nan"), 3.0]),
        (pa.bool_(), [True, True, False], [True, False, False]),
        (pa.large_string(), ["a", "bc", "d"], ["a", "zz", "d"]),
        (pair, [{"a": i, "b": "x"} for i in (1, 2, 3)], [{"a": i, "b": "x"} for i in (1, 9, 3)]),
        (vector, [[1, 2], [3, 4], [5, 6]], [[1, 2], [8, 9], [5, 6]]),
    ]
    for kind, one, other in cases:
        first, second = masked(kind, one), masked(kind, other)
        assert first["x"].null_count() == 1, kind
        assert first.equals(second, null_equal=True), kind
        assert frame_digest(first) == frame_digest(second), kind


def test_a_slice_is_its_own_rows_alone():
    whole = many(100)
    assert frame_digest(whole[10:20]) == frame_digest(pl.DataFrame(whole[10:20].to_dicts()))
    assert frame_digest(whole[10:20]) != frame_digest(whole[20:30])


def test_categories_are_their_texts():
    enum = pl.Series("x", ["a", "b", None], pl.Enum(["a", "b"]))
    other = pl.Series("x", ["b", "a", None], pl.Enum(["a", "b"]))
    assert frame_digest(enum.to_frame()) != frame_digest(other.to_frame())


def test_digests_do_not_move():
    # they are in manifests: another value would make every table look changed
    known = "a2248b4c3f1018a84fc35423c9f581bfbf462859854b56ec5a1affd05a0c919e"
    assert frame_digest(many(50)) == known
    text = '{"a":"ü","b":[1,null]}'
    assert json_digest({"b": [1, None], "a": "ü"}) == bytes_digest(text.encode())


def test_json_is_canonical():
    assert json_digest({"a": 1, "b": 2}) == json_digest({"b": 2, "a": 1})
    assert json_digest([1, 2]) != json_digest([2, 1])
    assert json_digest({"day": date(2024, 1, 2)}) == json_digest({"day": "2024-01-02"})
    assert json_digest(datetime(2024, 1, 2, tzinfo=UTC)) == json_digest("2024-01-02T00:00:00+00:00")
    with pytest.raises(TypeError, match="set has no canonical JSON"):
        json_digest({"x": {1}})
