from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.release.folds import fold_units, folded
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets_tests.denoisers import made_samples, no_families, small_config


@pytest.fixture
def samples(tmp_path) -> pl.DataFrame:
    """24 samples, every fourth of the held-out split."""
    return made_samples(ObjectStore(str(tmp_path)))


def families(*groups: tuple[int, ...]) -> pl.DataFrame:
    rows = [(f"{n:032x}", f"{min(group):032x}") for group in groups for n in group]
    return pl.DataFrame(rows, schema=no_families().schema, orient="row")


def test_the_held_out_split_is_the_first_fold_and_the_others_are_shared_out(samples):
    rows = folded(samples, no_families(), small_config())
    assert rows["image_id"].to_list() == sorted(samples["image_id"])
    assert (rows.filter(split="validation")["fold"] == 0).all()
    assert Counter(rows["fold"]) == {0: 6, 1: 9, 2: 9}


def test_what_is_drawn_is_of_the_held_out_split(samples):
    rows = folded(samples, no_families(), small_config(samples=4))
    assert rows.filter("drawn")["fold"].to_list() == [0] * 4
    fewer = folded(samples, no_families(), small_config(samples=2))
    assert set(fewer.filter("drawn")["image_id"]) < set(rows.filter("drawn")["image_id"])


@given(st.lists(st.integers(0, 8), min_size=40, max_size=40), st.integers(0, 9), st.randoms())
def test_a_family_is_in_one_fold_in_whatever_order_it_comes(labels, seed, random):
    """Number n of the samples, of the family `labels[n]`; the last ones are a family each."""
    ids = [f"{n:032x}" for n in range(60)]
    samples = pl.DataFrame(
        {"image_id": ids, "split": ["train" if n % 5 else "validation" for n in range(60)]}
    )
    alike = pl.DataFrame({"image_id": ids[:40], "family": [f"f{label}" for label in labels]})
    config = small_config(seed=seed)
    rows = folded(samples, alike, config)
    assert rows.group_by("family").agg(pl.col("fold").n_unique())["fold"].unique().to_list() == [1]
    assert set(rows.filter(split="validation")["image_id"]) == set(ids[::5])
    order = list(range(60))
    random.shuffle(order)
    assert folded(samples[order], alike.reverse(), config).equals(rows)


def test_kin_of_what_is_held_out_take_no_part(samples):
    """Pictures that were found to be alike after the release had split them."""
    rows = folded(samples, families((0, 1, 2), (3, 5)), small_config())
    left = set(samples["image_id"]) - {f"{1:032x}", f"{2:032x}"}
    assert set(rows["image_id"]) == left
    assert rows.filter(pl.col("image_id") == f"{3:032x}")["family"].item() == f"{3:032x}"


def test_of_many_a_draw_takes_part(samples):
    rows = folded(samples, no_families(), small_config(images_max=16))
    assert rows.height == 16
    more = folded(samples, no_families(), small_config(images_max=20))
    assert set(rows["image_id"]) < set(more["image_id"])
    other = folded(samples, no_families(), small_config(images_max=16, seed=8))
    assert set(rows["image_id"]) != set(other["image_id"])


def test_an_empty_fold_is_told_with_what_to_set(samples):
    for some, fold in ((samples.filter(split="train"), 0), (samples.head(2), 2)):
        with pytest.raises(ValueError, match=rf"leave fold {fold} empty.*set denoiser\.folds"):
            folded(some, no_families(), small_config())


def test_each_unit_holds_out_its_fold(samples):
    rows = folded(samples, no_families(), small_config())
    found = [from_parquet(data) for data in fold_units(rows, 3, "1").values()]
    for fold, unit in enumerate(found):
        held = rows.filter(pl.col("fold") == fold)["image_id"]
        assert unit.filter("held_out")["image_id"].to_list() == held.to_list()
        assert unit["kept"].unique().to_list() == [fold == 0]
        assert unit.height == rows.height


def test_a_unit_is_named_by_what_is_learned_and_not_by_where_it_lies(samples):
    config = small_config()
    rows = folded(samples, no_families(), config)
    names = list(fold_units(rows, 3, "1"))
    assert len(set(names)) == 3
    moved = rows.with_columns(uri=pl.lit("s3://elsewhere/x"), offset=pl.col("offset") + 512)
    assert list(fold_units(moved, 3, "1")) == names
    prompts = pl.col("prompts").list.reverse()
    for other in (
        fold_units(rows, 3, "2"),
        fold_units(rows.with_columns(prompts=prompts), 3, "1"),
        fold_units(folded(samples, no_families(), small_config(seed=8)), 3, "1"),
    ):
        assert not set(other) & set(names)
