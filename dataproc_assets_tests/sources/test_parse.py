import json
import random
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.sources.adapters import adapter
from dataproc_assets.sources.columns import RECORD_SCHEMA, REJECT_SCHEMA
from dataproc_assets.sources.parse import RECORDS_SCHEMA, parse_records
from dataproc_assets_tests.sources.raw import RAW, SOURCES, without


def line(name: str, **changes) -> bytes:
    return json.dumps(RAW[name] | changes, ensure_ascii=False).encode()


@pytest.mark.parametrize("name", sorted(RAW))
def test_every_source_gives_the_same_schema_and_no_null_lists(name):
    records, rejects = parse_records(SOURCES[name], [("here", line(name))])
    assert records.schema == RECORDS_SCHEMA
    assert rejects.schema == REJECT_SCHEMA
    lists = [column for column, dtype in RECORD_SCHEMA.items() if isinstance(dtype, pl.List)]
    assert records.select(lists).null_count().row(0) == (0,) * len(lists)


@pytest.mark.parametrize("name", sorted(RAW))
def test_adapters_give_common_columns_only(name):
    columns = set(adapter(SOURCES[name])(RAW[name])) - {"asset", "updated"}
    assert columns <= set(RECORD_SCHEMA)


@pytest.mark.parametrize("name", sorted(RAW))
def test_bytes_and_dict_are_read_alike(name):
    from_bytes, _ = parse_records(SOURCES[name], [("here", line(name))])
    from_dict, _ = parse_records(SOURCES[name], [("here", RAW[name])])
    assert_frame_equal(from_bytes, from_dict)


def test_nothing_to_read_is_two_empty_tables():
    records, rejects = parse_records(SOURCES["pixiv"], [])
    assert (records.schema, records.height) == (RECORDS_SCHEMA, 0)
    assert (rejects.schema, rejects.height) == (REJECT_SCHEMA, 0)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"id": 1,\n "num": }', "not JSON: line 2 column 9"),
        (b"", "not JSON: line 1 column 1"),
        (b'{"id": "\xff"}', "not JSON: byte 8 is not utf-8"),
        (b'{"id": 1, "title": "\xed\xa0\x80"}', "not JSON: byte 20 is not utf-8"),
        (b'{"id": 1, "id": 2}', "the key 'id' is given twice"),
        (b'{"id": 1, "user": {"id": 1, "id": 2}}', "the key 'id' is given twice"),
        (b'{"id": 1, "a": [{"b": 1, "b" : 1}], "c": "\\":"}', "the key 'b' is given twice"),
        (b"[" * 100_000, "not JSON: nested too deeply, or a number too long"),
        (b'{"id": ' + b"1" * 5000 + b"}", "not JSON: nested too deeply, or a number too long"),
        (b"[1]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "id: field required"),
        (b'{"id": null}', "id: field required"),
        (b'{"id": ""}', "id: empty"),
        (b'{"id": true}', "id: not a whole number"),
        (b'{"id": "a"}', "id: not a whole number"),
        (b'{"id": -1}', "id: negative"),
        (b'{"id": 99999999999999999999}', "id: does not fit 64 bits"),
        (b'{"id": 1, "width": -1}', "width: not a number from 0 to 2147483647"),
        (b'{"id": 1, "width": 1e400}', "width: not a whole number"),
        (b'{"id": 1, "total_bookmarks": "many"}', "total_bookmarks: not a whole number"),
        (b'{"id": 1, "title": ["a"]}', "title: not text"),
        (b'{"id": 1, "user": 5}', "user: not an object"),
        (b'{"id": 1, "user": {"id": "x"}}', "user.id: not a whole number"),
        (ValueError("damaged gz file: EOFError"), "damaged gz file: EOFError"),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_place_and_reason(payload, reason):
    records, rejects = parse_records(SOURCES["pixiv"], [("a.json", payload)])
    assert records.height == 0
    assert rejects.rows() == [("pixiv", "a.json", reason)]


def test_a_half_surrogate_does_not_break_the_table():
    payload = json.dumps(RAW["pixiv"] | {"title": "a\ud800b"}).encode()
    records, rejects = parse_records(SOURCES["pixiv"], [("a", payload)])
    assert records["title"].to_list() == ["a?b"]
    assert rejects.height == 0


def test_zero_size_is_unknown_size():
    records, _ = parse_records(SOURCES["pixiv"], [("a", line("pixiv", width=0, height=0))])
    assert records.select("width", "height").row(0) == (None, None)


def test_the_last_place_counts_with_numbers_in_numeric_order():
    items = [
        ("posts.jsonl:10", line("pixiv", title="tenth")),
        ("posts.jsonl:9", line("pixiv", title="ninth")),
    ]
    records, rejects = parse_records(SOURCES["pixiv"], items)
    assert records.select("title", "record_place").rows() == [("tenth", "posts.jsonl:10")]
    assert rejects.rows() == [("pixiv", "posts.jsonl:9", "superseded by posts.jsonl:10")]


def test_the_later_update_counts_before_the_later_place():
    items = [
        ("b", RAW["yandere"] | {"updated_at": 1, "score": 1}),
        ("a", RAW["yandere"] | {"updated_at": 2, "score": 2}),
        ("c", without("yandere", "updated_at") | {"score": 3}),
    ]
    records, rejects = parse_records(SOURCES["yandere"], items)
    assert records["score"].to_list() == [2.0]
    assert rejects["place"].to_list() == ["b", "c"]


def test_twins_at_one_place_are_ordered_by_content():
    items = [("a", line("pixiv", title=title)) for title in ("x", "y", "z")]
    winners = {
        parse_records(SOURCES["pixiv"], order)[0]["title"].item()
        for order in (items, items[::-1], [items[1], items[0], items[2]])
    }
    assert len(winners) == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 5), max_size=12))
def test_the_order_of_items_does_not_matter(seed, works):
    items = [(f"p:{n}", line("pixiv", id=work, title=str(n))) for n, work in enumerate(works)]
    items.append(("bad", b"{"))
    shuffled = random.Random(seed).sample(items, len(items))
    for one, other in zip(
        parse_records(SOURCES["pixiv"], items),
        parse_records(SOURCES["pixiv"], shuffled),
        strict=True,
    ):
        assert_frame_equal(one, other)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bad_data_never_raises_and_never_vanishes(data):
    name = data.draw(st.sampled_from(sorted(RAW)))
    broken = data.draw(st.dictionaries(st.sampled_from(sorted(RAW[name])), junk, min_size=1))
    payload = json.dumps(RAW[name] | broken).encode()
    records, rejects = parse_records(SOURCES[name], [("here", payload)])
    assert records.height + rejects.height == 1
    assert all(len(reason) < 200 for reason in rejects["reason"])


def test_a_module_without_reader_is_told():
    source = SOURCES["pixiv"].model_copy(update={"adapter": "dataproc_assets.version"})
    with pytest.raises(ValueError, match=r"'dataproc_assets.version' of pixiv has no function"):
        adapter(source)


@pytest.mark.parametrize("post_id", ["../../etc/passwd", "a b", "日本", 'a"b', "a.b", ""])
def test_an_id_that_no_file_name_may_hold_is_rejected(post_id):
    raw = RAW["artstation"] | {"hash_id": post_id, "id": None}
    records, rejects = parse_records(SOURCES["artstation"], [("here", raw)])
    assert records.height == 0
    wrong = "id: has other characters than letters, digits, - and _"
    assert rejects["reason"].to_list() == [wrong if post_id else "hash_id: field required"]


@pytest.mark.parametrize("name", ["a b", "a\"b'c", "日本 画像", "../../x", "a\tb\u0000"])
def test_texts_keep_what_they_hold(name):
    records, _ = parse_records(SOURCES["pixiv"], [("here", line("pixiv", title=name, tags=[name]))])
    assert records.select("title", "tags_general").row(0) == (name, [name])


@pytest.mark.parametrize("value", ["1_000", "１２", "1e3", "0x10", "1.0", "1 2"])
def test_what_only_a_programming_language_takes_for_a_number_is_none(value):
    _, rejects = parse_records(SOURCES["pixiv"], [("here", line("pixiv", total_view=value))])
    assert rejects["reason"].to_list() == ["total_view: not a whole number"]


def test_a_fraction_of_any_type_is_no_whole_number():
    for value, reason in ((Decimal("1.5"), ["total_view: not a whole number"]), (Decimal(2), [])):
        _, rejects = parse_records(
            SOURCES["pixiv"], [("d:1", RAW["pixiv"] | {"total_view": value})]
        )
        assert rejects["reason"].to_list() == reason


def test_a_score_is_a_number_as_the_site_writes_it():
    _, rejects = parse_records(SOURCES["yandere"], [("here", line("yandere", score="1_0"))])
    assert rejects["reason"].to_list() == ["score: not a number"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_json_value_is_a_row_or_a_reject_with_its_reason(data):
    name = data.draw(st.sampled_from(sorted(RAW)))
    value = data.draw(
        json_values | st.dictionaries(st.sampled_from(sorted(RAW[name])), json_values)
    )
    payload = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace")
    records, rejects = parse_records(SOURCES[name], [("here", payload)])
    assert records.height + rejects.height == 1
    assert all(place == "here" and 0 < len(why) < 200 for _, place, why in rejects.rows())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_reject(payload):
    _, rejects = parse_records(SOURCES["danbooru"], [("here", payload)])
    assert rejects.height == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=10), st.data())
def test_any_split_and_repeat_of_a_crawl_is_the_same_table(works, data):
    """A file that was crawled twice, under two names, changes no record."""
    lines = [line("yandere", id=n, updated_at=at, score=at) for n, at in works]
    once, _ = parse_records(SOURCES["yandere"], [(f"a.jsonl:{n}", x) for n, x in enumerate(lines)])
    again = data.draw(
        st.permutations(lines + data.draw(st.lists(st.sampled_from(lines or [b"x"]))))
    )
    cuts = [data.draw(st.sampled_from("abc")) for _ in again]
    items = [(f"{c}.jsonl:{n}", x) for n, (c, x) in enumerate(zip(cuts, again, strict=True))]
    split, _ = parse_records(SOURCES["yandere"], items)
    assert_frame_equal(once.drop("record_place"), split.drop("record_place"))
