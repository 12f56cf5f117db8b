import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.exceptions import PolarsError

from dataproc_assets.transforms.trust import drawn, trust_in
from dataproc_assets_tests.transforms.frames import TRUST

SCHEMA = {"image_id": pl.String, "source": pl.String, "value": pl.String, "weight": pl.Float64}


def claims(*items):
    return pl.LazyFrame(items, schema=SCHEMA, orient="row")


def test_each_source_wins_in_proportion_to_its_trust():
    ids = [f"{n:032x}" for n in range(20_000)]
    weights = {"danbooru": 0.4, "gelbooru": 0.3, "pixiv": 0.9}
    frame = claims(*[(i, s, s.upper(), w) for i in ids for s, w in weights.items()])
    out = drawn(frame, "created", 3).collect()
    counts = dict(out["created"].value_counts().iter_rows())
    total = sum(weights.values())
    for source, weight in weights.items():
        assert counts[source.upper()] / len(ids) == pytest.approx(weight / total, abs=0.012)


def test_provenance_says_who_won_and_who_lost():
    frame = claims(
        ("i", "danbooru", "a", 0.6),
        ("i", "pixiv", "b", 0.9),
        ("i", "gelbooru", None, 0.9),
        ("i", "yandere", "d", 0.0),
    )
    row = drawn(frame, "artist", 1).collect().row(0, named=True)
    by_source = {"danbooru": ("a", 0.6), "pixiv": ("b", 0.9)}
    winner = row["artist__source"]
    (loser,) = set(by_source) - {winner}
    assert (row["artist"], row["artist__weight"]) == by_source[winner]
    value, weight = by_source[loser]
    assert row["artist__losing"] == [{"source": loser, "value": value, "weight": weight}]


def test_fields_are_drawn_apart_and_the_seed_counts():
    frame = claims(*[(f"{n}", s, s, 0.5) for n in range(200) for s in ("a", "b")])

    def won(field, seed):
        return drawn(frame, field, seed).sort("image_id").collect()[field].to_list()

    assert won("title", 1) == won("title", 1)
    assert won("title", 1) != won("artist", 1)
    assert won("title", 1) != won("title", 2)


def test_a_source_that_joins_later_changes_only_what_it_wins():
    ids = [f"{n}" for n in range(500)]
    old = [(i, s, s, 0.5) for i in ids for s in ("a", "b")]
    new = [(i, "c", "c", 0.5) for i in ids]
    before = drawn(claims(*old), "title", 1).sort("image_id").collect()["title"]
    after = drawn(claims(*old, *new), "title", 1).sort("image_id").collect()["title"]
    assert all(b == a or a == "c" for b, a in zip(before, after, strict=True))


@given(st.permutations(range(12)))
def test_the_order_of_claims_changes_nothing(order):
    rows = [(f"{n // 4}", f"s{n % 4}", f"v{n}", 0.1 + n / 20) for n in range(12)]
    expected = drawn(claims(*rows), "title", 1).sort("image_id").collect()
    found = drawn(claims(*[rows[i] for i in order]), "title", 1).sort("image_id").collect()
    assert found.equals(expected)


def test_trust_is_per_source_and_field_and_an_unknown_source_fails():
    frame = pl.LazyFrame({"source": ["pixiv", "danbooru"]})
    assert frame.select(trust_in("artist", TRUST)).collect().to_series().to_list() == [0.9, 0.6]
    with pytest.raises(PolarsError):
        pl.LazyFrame({"source": ["flickr"]}).select(trust_in("artist", TRUST)).collect()
