from pathlib import Path

import polars as pl
import pytest

from dataproc_assets.jobs.read import ReadError
from dataproc_assets.models.draw import from_file
from dataproc_assets.storage.layout import drawn_path, losses_path, trained_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets_tests.denoisers import Training, made_samples, small_config
from dataproc_assets_tests.jobs.encoding import drawn_vae


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return drawn_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture
def training(tmp_path, vae) -> Training:
    store = ObjectStore(str(tmp_path / "store"))
    return Training(store, vae, small_config(), made_samples(store))


@pytest.fixture
def work(tmp_path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def test_each_fold_is_measured_on_what_it_never_saw(training, work):
    progress = training.run(work)
    assert (progress["done"], progress["total"], progress["parts"]) == (18, 18, 3)
    seen = []
    for fold, unit in enumerate(training.names):
        losses = from_parquet(training.store.get(losses_path(training.folder, unit)))
        held = training.rows.filter(pl.col("fold") == fold)["image_id"]
        assert losses["image_id"].to_list() == held.sort().to_list()
        assert losses["shuffled"].list.len().unique().to_list() == [19]
        assert losses.select(pl.col("none", "true").is_finite().all()).row(0) == (True, True)
        seen += losses["image_id"].to_list()
    assert sorted(seen) == training.rows["image_id"].to_list()


def test_the_model_of_the_held_out_split_is_kept_and_draws(training, work):
    training.run(work)
    first, *others = training.names
    for unit in others:
        assert not training.store.exists(trained_path(training.folder, unit))
    model, about = from_file(training.store.get(trained_path(training.folder, first)), "here")
    assert (about.release, about.recipe, about.vae) == ("small", "plain", training.vae)
    assert model.foretold.any() and model.mean.any()
    drawn = from_parquet(training.store.get(drawn_path(training.folder, first)))
    assert drawn["guidance"].to_list() == [0.0, 1.0, 3.0] * 2
    held = training.rows.filter(pl.col("split") == "validation")["image_id"]
    assert set(drawn["image_id"]) <= set(held)
    assert all(picture.startswith(b"RIFF") for picture in drawn["picture"])


def test_the_same_folds_give_the_same_bytes_wherever_and_however_they_are_shared(
    training, vae, work, s3_url
):
    training.run(work)
    bucket = ObjectStore(s3_url)
    other = Training(bucket, vae, training.config, made_samples(bucket))
    assert other.names == training.names
    for rank in range(2):
        other.run(work, rank, 2)
    assert other.files() == training.files()


def test_what_is_done_is_not_done_again(training, work):
    training.run(work)
    before = training.store.list(training.folder)
    progress = training.run(work)
    assert (progress["done"], progress["images_per_second"], progress["parts"]) == (18, 0.0, 3)
    assert training.store.list(training.folder).equals(before)


def test_another_seed_gives_other_folds_and_other_losses(training, vae, work):
    training.run(work)
    other = Training(training.store, vae, small_config(seed=8), made_samples(training.store))
    other.run(work)
    assert other.folder != training.folder
    unit, again = training.names[0], other.names[0]
    one = from_parquet(training.store.get(losses_path(training.folder, unit)))
    two = from_parquet(training.store.get(losses_path(other.folder, again)))
    assert one["image_id"].to_list() == two["image_id"].to_list()
    assert (one["none"] != two["none"]).all()


def test_a_latent_that_is_not_made_of_patches_is_told(training, vae, work):
    wide = Training(training.store, vae, small_config(patch=3), made_samples(training.store))
    with pytest.raises(ValueError, match=r"not made of patches of 3; set denoiser\.patch in"):
        wide.run(work)


def test_a_latent_that_is_gone_ends_the_job_and_leaves_no_mark(training, work):
    training.store.delete("made/latents.bin")
    with pytest.raises(ReadError, match="missing"):
        training.run(work)
    assert training.store.list(training.folder).is_empty()
