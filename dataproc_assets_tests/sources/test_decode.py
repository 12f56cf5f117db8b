import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataproc_assets.sources.decode import decode

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
layouts = st.sampled_from(
    [{}, {"indent": 4}, {"separators": (",", ":")}, {"separators": (",", " : ")}]
)


@settings(max_examples=300)
@given(st.dictionaries(st.text(), values), layouts, st.booleans())
def test_an_object_is_read_as_the_standard_library_reads_it(value, layout, ascii_only):
    payload = json.dumps(value, ensure_ascii=ascii_only, **layout).encode()
    assert decode(payload) == json.loads(payload)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.sampled_from(['"a"', '"b"', '"\\u0061"', '"a\\":"']), values), max_size=4
    ),
    st.sampled_from([":", " :", ": ", "\n:\t"]),
    st.booleans(),
)
@example([('"a"', 1), ('"a"', '":')], " :", False)
@example([('"a"', 1), ('"\\u0061"', 2)], ":", False)
def test_a_key_given_twice_is_refused_however_it_is_written(pairs, colon, nested):
    inner = ",".join(f"{key}{colon}{json.dumps(value)}" for key, value in pairs)
    payload = (f'{{"x": [{{{inner}}}]}}' if nested else f"{{{inner}}}").encode()
    keys = [json.loads(key) for key, _ in pairs]
    if len(keys) == len(set(keys)):
        assert decode(payload) == json.loads(payload)
    else:
        with pytest.raises(ValueError, match="is given twice"):
            decode(payload)


def test_other_encodings_of_json_are_read():
    text = '{"title": "風景"}'
    for encoding in ("utf-8-sig", "utf-16", "utf-32-be"):
        assert decode(text.encode(encoding)) == {"title": "風景"}


def test_integers_keep_their_digits():
    assert decode(b'{"id": 9007199254740993, "n": -170141183460469231731687303715884105729}') == {
        "id": 9007199254740993,
        "n": -170141183460469231731687303715884105729,
    }
