import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.exceptions import PolarsError
from scipy.stats import chi2_contingency, chisquare

from dataproc_assets.transforms.trust import drawn, provenance, trust_in
from dataproc_assets_tests.transforms.frames import TRUST

SCHEMA = {"image": pl.UInt32, "source": pl.String, "value": pl.String, "weight": pl.Float64}
IDS = pl.Series([f"{n:032x}" for n in range(100_000)])


def claims(*items):
    return pl.DataFrame(items, schema=SCHEMA, orient="row")


def won(frame, ids, field, seed):
    """The field's columns, one row an image."""
    return provenance(frame, drawn(frame, ids, field, seed), field)


def of_all(weights):
    """What each source says of all images."""
    images = pl.int_range(len(IDS), dtype=pl.UInt32, eager=True)
    said = [
        pl.DataFrame({"image": images}).with_columns(
            source=pl.lit(source), value=pl.lit(source), weight=pl.lit(weight)
        )
        for source, weight in weights.items()
    ]
    return pl.concat(said)


def winners(frame, field, seed):
    """The number of each image's winner among the sources by name."""
    names = frame["source"].unique().sort()
    return names.search_sorted(won(frame, IDS, field, seed)[field]).to_numpy()


@pytest.mark.parametrize(
    "weights",
    [
        {"danbooru": 0.6, "gelbooru": 0.3, "pixiv": 0.9},
        {"danbooru": 0.5, "pixiv": 0.5},
        {"danbooru": 1.0, "gelbooru": 0.3, "pixiv": 0.002},
        {"artstation": 0.9, "danbooru": 0.6, "gelbooru": 0.3, "pixiv": 0.9, "twitter": 0.8},
    ],
)
def test_over_100_000_images_each_source_wins_in_proportion_to_its_trust(weights):
    counts = np.bincount(winners(of_all(weights), "artist", 20261101))
    shares = np.array([weights[name] for name in sorted(weights)])
    assert chisquare(counts, shares / shares.sum() * len(IDS)).pvalue > 0.001


def test_who_wins_one_field_says_nothing_of_another():
    frame = of_all({"danbooru": 0.6, "gelbooru": 0.3, "pixiv": 0.9})
    pairs = [winners(frame, field, 20261101) for field in ("artist", "title")]
    table = np.zeros((3, 3))
    np.add.at(table, tuple(pairs), 1)
    assert chi2_contingency(table).pvalue > 0.001
    again = winners(frame, "artist", 20261102)
    assert 0.3 < (again == pairs[0]).mean() < 0.5  # another seed draws anew: 7/18 are equal


def test_provenance_says_who_won_and_who_lost():
    frame = claims(
        (0, "danbooru", "a", 0.6),
        (0, "pixiv", "b", 0.9),
        (0, "yandere", "d", 0.0),
    )
    row = won(frame, pl.Series(["i"]), "artist", 1).row(0, named=True)
    by_source = {"danbooru": ("a", 0.6), "pixiv": ("b", 0.9)}
    winner = row["artist__source"]
    (loser,) = set(by_source) - {winner}
    assert (row["artist"], row["artist__weight"]) == by_source[winner]
    value, weight = by_source[loser]
    assert row["artist__losing"] == [{"source": loser, "value": value, "weight": weight}]


def test_an_image_of_which_nobody_speaks_has_no_value():
    frame = claims((2, "pixiv", "a", 0.6))
    out = won(frame, pl.Series(["i", "j", "k"]), "title", 1)
    assert out["title"].to_list() == [None, None, "a"]
    assert out["title__source"].to_list() == [None, None, "pixiv"]
    assert out["title__losing"].to_list() == [[], [], []]


def test_a_source_that_joins_later_changes_only_what_it_wins():
    ids = IDS[:500]
    old = [(n, s, s, 0.5) for n in range(500) for s in ("a", "b")]
    new = [(n, "c", "c", 0.5) for n in range(500)]
    before = won(claims(*old), ids, "title", 1)["title"]
    after = won(claims(*old, *new), ids, "title", 1)["title"]
    assert all(b == a or a == "c" for b, a in zip(before, after, strict=True))
    assert set(after) == {"a", "b", "c"}


def test_an_image_s_draw_is_its_own_whatever_stands_beside_it():
    rows = [(n, s, s, 0.5) for n in range(50) for s in ("a", "b")]
    together = won(claims(*rows), IDS[:50], "title", 1)
    alone = [
        won(claims((0, "a", "a", 0.5), (0, "b", "b", 0.5)), IDS[n : n + 1], "title", 1)
        for n in range(50)
    ]
    assert pl.concat(alone).equals(together)


@given(st.permutations(range(12)))
def test_the_order_of_claims_changes_nothing(order):
    rows = [(n // 4, f"s{n % 4}", f"v{n}", 0.1 + n / 20) for n in range(12)]
    expected = won(claims(*rows), IDS[:3], "title", 1)
    assert won(claims(*[rows[i] for i in order]), IDS[:3], "title", 1).equals(expected)
    assert expected["title__losing"].list.len().to_list() == [3, 3, 3]


def test_trust_is_per_source_and_field_and_an_unknown_source_fails():
    frame = pl.LazyFrame({"source": ["pixiv", "danbooru"]})
    assert frame.select(trust_in("artist", TRUST)).collect().to_series().to_list() == [0.9, 0.6]
    with pytest.raises(PolarsError):
        pl.LazyFrame({"source": ["flickr"]}).select(trust_in("artist", TRUST)).collect()
