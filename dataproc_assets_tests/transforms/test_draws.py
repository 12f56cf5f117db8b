import polars as pl
import pytest
import xxhash

from dataproc_assets.transforms.draws import draw, hash64, race

IDS = pl.DataFrame({"id": [f"{n:032x}" for n in range(20_000)]})


def test_the_hash_is_xxh3_of_the_names_joined_by_a_zero_byte():
    found = pl.select(hash64(7, pl.lit("ab"), pl.lit("c"))).item()
    assert found == xxhash.xxh3_64_intdigest(b"ab\0c", seed=7)
    assert found != pl.select(hash64(7, pl.lit("a"), pl.lit("bc"))).item()
    assert found != pl.select(hash64(8, pl.lit("ab"), pl.lit("c"))).item()


def test_draws_are_uniform_and_strictly_inside_0_and_1():
    u = IDS.select(draw(1, pl.col("id")))["id"]
    assert u.min() > 0 and u.max() < 1
    counts = (u * 10).floor().value_counts()["count"]
    assert counts.min() > 1_850 and counts.max() < 2_150


def test_the_first_of_a_race_wins_in_proportion_to_its_weight():
    weights = {"a": 0.9, "b": 0.6, "c": 0.3, "none": 0.0}
    times = IDS.select(
        race(1, pl.lit(w), pl.col("id"), pl.lit("artist"), pl.lit(name)).alias(name)
        for name, w in weights.items()
    )
    won = times.select(pl.concat_list(pl.all()).list.arg_min().alias("i"))["i"].to_list()
    shares = [won.count(index) / len(won) for index in range(4)]
    assert shares[:3] == pytest.approx([0.5, 1 / 3, 1 / 6], abs=0.012)
    assert shares[3] == 0
