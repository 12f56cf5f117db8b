import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.release.proof import proof

LOSSES = pl.DataFrame(
    {
        "family": ["a", "a", "b", "c"],
        "fold": [0, 0, 1, 1],
        "none": [2.0, 2.0, 3.0, 1.0],
        "true": [1.0, 1.5, 2.0, 1.5],
        "shuffled": [[1.5, 2.5], [1.5, 2.5], [2.5, 2.5], [1.0, 1.0]],
    }
)


def test_means_gains_and_folds_of_a_small_table():
    found = proof(LOSSES)
    assert (found["images"], found["families"], found["shuffles"]) == (4, 3, 2)
    assert found["loss"] == {"none": 2.0, "true": 1.5, "shuffled": 1.875}
    assert found["over_none"]["mean"] == 0.5
    # gains 1.0 and 0.5 of one family, 0.5, -0.5: its mean is taken off, and families are summed
    gain = found["over_shuffled"]
    assert gain["mean"] == 0.375
    spread = (0.625 + 0.125) ** 2 + 0.125**2 + 0.875**2
    assert gain["standard_error"] == pytest.approx(math.sqrt(spread * 3 / 2) / 4)
    assert gain["z"] == pytest.approx(0.375 / gain["standard_error"])
    assert found["better"] == 0.75
    assert found["folds"] == [
        {"fold": 0, "images": 2, "none": 2.0, "true": 1.25, "shuffled": 2.0},
        {"fold": 1, "images": 2, "none": 2.0, "true": 1.75, "shuffled": 1.75},
    ]


@pytest.mark.parametrize(
    ("shuffled", "p"), [([3.0, 3.0, 3.0], 1 / 4), ([3.0, 1.0, 0.5], 3 / 4), ([0.0] * 3, 1.0)]
)
def test_the_true_training_is_one_of_those_that_are_counted(shuffled, p):
    rows = pl.DataFrame({"family": ["a"], "fold": [0], "none": [2.0], "true": [1.0]})
    assert proof(rows.with_columns(shuffled=pl.lit(shuffled)))["p"] == p


@given(st.integers(0, 2**32 - 1))
def test_each_its_own_family_gives_the_usual_standard_error(seed):
    draws = np.random.default_rng(seed)
    count = int(draws.integers(2, 30))
    none, true = draws.normal(size=(2, count))
    rows = pl.DataFrame(
        {
            "family": [str(n) for n in range(count)],
            "fold": [0] * count,
            "none": none,
            "true": true,
            "shuffled": none[:, None].repeat(2, 1),
        }
    ).with_columns(pl.col("shuffled").cast(pl.List(pl.Float64)))
    found = proof(rows)
    usual = (none - true).std(ddof=1) / math.sqrt(count)
    for gain in (found["over_none"], found["over_shuffled"]):
        assert gain["standard_error"] == pytest.approx(usual)


def test_the_same_picture_many_times_is_no_stronger_witness():
    once = LOSSES.filter(pl.col("family") != "a")
    copies = pl.concat([once] * 5)
    one, several = proof(once)["over_none"], proof(copies)["over_none"]
    assert several == pytest.approx(one)


def test_losses_that_are_all_alike_prove_nothing():
    rows = LOSSES.with_columns(true="none", shuffled=pl.concat_list("none", "none"))
    assert proof(rows)["over_shuffled"] == {"mean": 0.0, "standard_error": 0.0, "z": 0.0}
