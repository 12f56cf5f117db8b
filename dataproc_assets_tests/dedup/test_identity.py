import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.dedup import LEDGER_SCHEMA, aliases, build_members, new_founders
from dataproc_assets_tests.dedup.build import make_config, make_items

CONFIG = make_config()


def name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def ledger(*rows: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=LEDGER_SCHEMA, orient="row")


def members(groups: str, released: pl.DataFrame) -> pl.DataFrame:
    """Members of clusters "ab c": each letter a key, each word one cluster, the first the best."""
    rows = [
        {"image_key": f"x/{letter}", "trust": float(-place)}
        for word in groups.split()
        for place, letter in enumerate(word)
    ]
    edges = [
        (*sorted((f"x/{word[0]}", f"x/{letter}")), None, None, ["sha256"], "duplicate")
        for word in groups.split()
        for letter in word[1:]
    ]
    frame = pl.DataFrame(
        edges,
        schema={"a": pl.String, "b": pl.String, "cosine": pl.Float64, "phash_distance": pl.Int32}
        | {"evidence": pl.List(pl.String), "kind": pl.String},
        orient="row",
    )
    return build_members(make_items(*rows), frame, released, CONFIG)


def ids(table: pl.DataFrame) -> dict[str, str]:
    return {key[2:]: value for key, value in table.select("image_key", "image_id").iter_rows()}


def test_an_unreleased_image_is_named_after_its_smallest_key():
    assert ids(members("ba c", ledger())) == {"a": name("x/a"), "b": name("x/a"), "c": name("x/c")}


def test_publishing_binds_the_key_that_gave_the_name():
    table = members("ba c", ledger())
    assert new_founders(table, ledger()).rows() == sorted(
        [("x/a", name("x/a")), ("x/c", name("x/c"))], key=lambda row: row[1]
    )
    assert new_founders(table, new_founders(table, ledger())).is_empty()


def test_a_smaller_key_that_joins_later_does_not_rename():
    released = new_founders(members("b", ledger()), ledger())
    table = members("ab", released)
    assert set(ids(table).values()) == {name("x/b")}
    assert new_founders(table, released).is_empty()


def test_when_images_join_the_oldest_id_stays_and_the_other_becomes_an_alias():
    released = ledger(("x/b", "id of b"), ("x/a", "id of a"))
    table = members("ab", released)
    assert set(ids(table).values()) == {"id of b"}
    assert aliases(table, released).rows() == [("id of a", "id of b")]


def test_when_an_image_splits_the_founder_keeps_the_id():
    released = ledger(("x/b", "id of b"))
    assert ids(members("a b", released)) == {"a": name("x/a"), "b": "id of b"}
    assert aliases(members("a b", released), released).is_empty()


def test_a_founder_that_is_gone_leaves_no_alias():
    released = ledger(("x/z", "id of z"))
    assert aliases(members("ab", released), released).is_empty()


def test_a_derived_id_never_repeats_a_released_one():
    released = ledger(("x/b", name("x/a")))
    assert ids(members("ac b", released)) == {
        "a": name("x/c"),
        "b": name("x/a"),
        "c": name("x/c"),
    }


@pytest.mark.parametrize("rows", [(("x/a", "1"), ("x/a", "2")), (("x/a", "1"), ("x/b", "1"))])
def test_a_ledger_that_binds_twice_is_refused(rows: tuple):
    with pytest.raises(ValueError, match="identity ledger binds"):
        members("ab", ledger(*rows))


@settings(deadline=None, max_examples=40)
@given(
    history=st.lists(
        st.tuples(st.lists(st.integers(0, 3), min_size=8, max_size=8), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_released_ids_last_through_joins_splits_and_takedowns(
    history: list[tuple[list[int], bool]],
):
    """Each step deals eight keys to three clusters anew, or takes them away, and may publish."""
    released = ledger()
    for clusters, published in history:
        words = [
            "".join(k for k, c in zip("abcdefgh", clusters, strict=True) if c == n)
            for n in (1, 2, 3)
        ]
        words = [word for word in words if word]
        table = members(" ".join(words), released)
        named = ids(table)
        assert len(set(named.values())) == len(words)
        founders = {key[2:]: identity for key, identity in released.iter_rows()}
        alias = dict(aliases(table, released).iter_rows())
        for word in words:
            (identity,) = {named[key] for key in word}
            bound = [identity for key, identity in founders.items() if key in word]
            assert identity == (bound[0] if bound else identity)
            assert bound or identity not in founders.values()
            assert {alias[other] for other in bound[1:]} <= {identity}
        assert len(alias) == sum(max(0, len(set(word) & set(founders)) - 1) for word in words)
        if published:
            released = pl.concat([released, new_founders(table, released)])
