import polars as pl
import pytest

from dataproc_assets.models.draw import from_file
from dataproc_assets.release.manifest import read_manifest, verify_folder
from dataproc_assets.storage.layout import denoiser_path, done_path, losses_path, trained_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.denoisers import Training, made_samples, small_config
from dataproc_assets_tests.jobs.encoding import drawn_vae
from dataproc_assets_tests.stores import contents, copied

FOLDER = denoiser_path("small")


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return drawn_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def folds(tmp_path_factory, vae) -> Training:
    """Folds that are trained and not yet put together: to be copied."""
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    training = Training(store, vae, small_config(), made_samples(store))
    training.run(tmp_path_factory.mktemp("work"))
    return training


@pytest.fixture
def training(folds, vae, store) -> Training:
    """The same folds on a store of the test's own, a folder and S3."""
    copied(folds.store, store)
    return Training(store, vae, folds.config, made_samples(store))


def tree(training: Training) -> dict[str, bytes]:
    return contents(training.store, FOLDER)


def test_the_folder_is_whole_and_holds_what_the_folds_gave(training):
    manifest = training.publish()
    assert read_manifest(training.store, FOLDER) == manifest
    assert verify_folder(training.store, FOLDER) == []
    read = {name: training.store.get(f"{manifest.root}/{name}") for name in manifest.files}
    losses = from_parquet(read["losses.parquet"])
    about = losses.select("image_id", "split", "family", "fold")
    assert about.equals(training.rows.select(about.columns))
    assert from_file(read["model.safetensors"], "here")[1].release == "small"
    assert from_parquet(read["curve.parquet"])["step"].to_list() == [1, 2, 3, 4, 5, 6]
    assert from_parquet(read["drawn.parquet"])["image_id"].n_unique() == 2
    counts = manifest.counts
    assert (counts["images"], counts["seen"], counts["unseen"]) == (24, 18, 6)
    assert counts["loss"]["true"] == pytest.approx(losses["true"].mean())
    assert b"**Learned from:** 18 images" in read["README.md"]


@pytest.mark.parametrize("told", [True, False])
def test_prompts_prove_something_where_they_tell_what_is_drawn(tmp_path, vae, told):
    store = ObjectStore(str(tmp_path / "store"))
    training = Training(store, vae, small_config(steps=60), made_samples(store, told=told))
    training.run(tmp_path / "work")
    counts = training.publish().counts
    assert (counts["over_shuffled"]["z"] > training.config.z_min) == told
    assert (counts["p"] <= 0.05) == told


def test_again_is_the_same_bytes(training):
    first = training.publish()
    before = tree(training)
    assert training.publish() == first and tree(training) == before


def test_another_one_takes_the_place_of_the_one_before(training):
    first = training.publish()
    alike = training.rows.with_columns(family=pl.col("image_id").first().over("fold"))
    training.rows = alike
    second = training.publish()
    assert second.root != first.root and second.counts["families"] == 3
    assert not training.store.list(FOLDER)["path"].str.starts_with(f"{first.root}/").any()
    assert verify_folder(training.store, FOLDER) == []


@pytest.mark.parametrize("path_of", [losses_path, trained_path])
def test_a_changed_part_is_refused_and_what_was_published_stays(training, path_of):
    training.publish()
    before = tree(training)
    path = path_of(training.folder, training.names[0])
    training.store.put(path, training.store.get(path)[:-1] + b"x")
    with pytest.raises(ChangedFileError, match=r"was changed since .*delete it and the \.json"):
        training.publish()
    assert tree(training) == before


def test_a_fold_that_is_not_trained_publishes_nothing(training):
    training.store.delete(done_path(losses_path(training.folder, training.names[2])))
    with pytest.raises(FileNotFoundError):
        training.publish()
    assert training.store.list(FOLDER).is_empty()
