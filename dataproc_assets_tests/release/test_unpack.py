import json
import tarfile
import tomllib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataproc_assets.release.extract import UnpackError
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.unpack import unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import LATENTS, manifest_of, run, tree, with_latents
from dataproc_assets_tests.release.unpacking import files, first_tar, write
from dataproc_assets_tests.stores import copied


@pytest.fixture
def store(released, tmp_path) -> ObjectStore:
    """A copy of it."""
    return copied(released, ObjectStore(str(tmp_path / "store")))


def test_unpacked_as_sd_scripts_reads_it(released, tmp_path):
    done = write(released, tmp_path / "unpacked", recipe="illustrious")
    images = tmp_path / "unpacked" / "images"
    entries = json.loads((tmp_path / "unpacked" / "metadata.json").read_text("utf-8"))
    train = read_train(released, "small")
    assert (done.images, done.latents, len(entries)) == (9, 9, 9)
    assert len(list(images.iterdir())) == 27
    for row in train.iter_rows(named=True):
        image = images / row["file_name"]
        assert Image.open(image).size == (row["width"], row["height"])
        assert entries[str(image)]["caption"] == row["prompts__illustrious"][0]
        assert entries[str(image)]["image_size"] == [row["width"], row["height"]]
        assert image.with_suffix(".txt").read_text("utf-8") == f"{row['prompts__illustrious'][0]}\n"
        size = f"{row['width']:04d}x{row['height']:04d}"
        with np.load(images / f"{row['image_id']}_{size}_sdxl.npz", allow_pickle=False) as cached:
            shape = (4, row["bucket_height"] // 8, row["bucket_width"] // 8)
            assert cached["latents"].shape == shape
            assert cached["latents"].dtype == np.float32
            assert cached["original_size"].tolist() == [row["width"], row["height"]]
            assert cached["crop_ltrb"].shape == (4,)
    (dataset,) = tomllib.loads(done.toml.read_text("utf-8"))["datasets"]
    assert dataset["resolution"] == [128, 128]
    assert dataset["bucket_reso_steps"] == 32
    (subset,) = dataset["subsets"]
    assert Path(subset["image_dir"]) == images
    assert json.loads(Path(subset["metadata_file"]).read_bytes()) == entries
    assert "only a model of that VAE can train on them" in done.cautions[0]


def test_the_latents_are_those_of_the_release(released, tmp_path):
    write(released, tmp_path)
    manifest = manifest_of(released, kind="latents")
    seen = 0
    for path in manifest.files:
        if path.endswith(".tar"):
            with tarfile.open(released.uri(f"{manifest.root}/{path}")) as archive:
                for member in archive:
                    if member.name.endswith(".latent.npy"):
                        stem = member.name.partition(".")[0]
                        content = archive.extractfile(member)
                        assert content is not None
                        latent = np.load(BytesIO(content.read()))
                        (cache,) = (tmp_path / "images").glob(f"{stem}_*_sdxl.npz")
                        with np.load(cache) as cached:
                            assert (cached["latents"] == latent).all()
                        seen += 1
    assert seen == 9


def test_two_unpacks_give_the_same_bytes_from_a_folder_and_from_s3(released, s3_url, tmp_path):
    remote = ObjectStore(s3_url)
    for path, data in tree(Path(released.url)).items():
        if path.startswith(("releases/", "latents/")):
            remote.put(path, data)
    write(released, tmp_path / "one")
    unpack(plan_unpack(remote, "small"), tmp_path / "two", threads=1)
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_without_latents_no_buckets_are_told(released, tmp_path):
    done = write(released, tmp_path, latents=False)
    assert (done.images, done.latents, done.cautions) == (9, 0, [])
    assert not list((tmp_path / "images").glob("*.npz"))
    assert "resolution" not in tomllib.loads(done.toml.read_text("utf-8"))["datasets"][0]
    again = write(released, tmp_path)
    assert again.latents == 9
    assert "resolution" in tomllib.loads(again.toml.read_text("utf-8"))["datasets"][0]


def test_each_split_is_a_folder_of_its_own(tmp_path, crawl):
    store = ObjectStore(str(tmp_path / "store"))
    config = release_config(splits={"train": 0.5, "validation": 0.5}, latents=LATENTS)
    with_latents(store, crawl, tmp_path, config)
    rows = read_train(store, "small")
    for split in config.splits:
        done = write(store, tmp_path / split, split=split)
        expected = rows.filter(split=split)
        assert expected.height and done.images == done.latents == expected.height
        images = {path.name for path in (tmp_path / split / "images").iterdir()}
        assert set(expected["file_name"]) <= images and len(images) == 3 * expected.height
        assert done.toml.read_text("utf-8").splitlines()[0].endswith(f"{split}, by animagine")
    with pytest.raises(UnpackError, match="holds the split validation of release"):
        write(store, tmp_path / "validation")


def test_what_is_there_is_not_read_again(store, tmp_path):
    write(store, tmp_path / "unpacked")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "unpacked").rglob("images/*")}
    plan = plan_unpack(store, "small")
    for manifest, path in plan.shards():
        store.delete(f"{manifest.root}/{path}")
    told = []
    unpack(plan, tmp_path / "unpacked", seen=told.append)
    assert sum(told) == plan.bytes()
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_changed_and_a_lost_file_come_back_and_the_rest_is_left(released, tmp_path):
    write(released, tmp_path)
    whole = files(tmp_path)
    images = sorted((tmp_path / "images").glob("*.npz"))
    images[0].write_bytes(b"half")
    images[1].unlink()
    next((tmp_path / "images").glob("*.txt")).write_bytes(b"other")
    times = {path: path.stat().st_mtime_ns for path in images[2:]}
    write(released, tmp_path)
    assert files(tmp_path) == whole
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_another_recipe_in_the_same_folder_rewrites_the_prompts(released, tmp_path):
    write(released, tmp_path, recipe="animagine")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "images").glob("*.npz")}
    done = write(released, tmp_path, recipe="illustrious")
    assert all(
        path.read_text("utf-8").startswith("illustrious")
        for path in (tmp_path / "images").glob("*.txt")
    )
    assert done.toml.read_text("utf-8").splitlines()[0].endswith("train, by illustrious")
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_a_shard_that_is_left_out_of_the_manifest_is_missed(store, tmp_path):
    manifest = manifest_of(store)
    path, _ = first_tar(store)
    left = {other: entry for other, entry in manifest.files.items() if other != path}
    store.put("releases/small/manifest.json", replace(manifest, files=left).to_json())
    with pytest.raises(UnpackError, match="3 files of release 'small' are in no shard"):
        write(store, tmp_path / "unpacked")


def test_images_whose_latent_failed_are_told(store, tmp_path):
    manifest = manifest_of(store, kind="latents")
    lost = read_train(store, "small")["image_id"][0]
    counts = manifest.counts | {"failed": {lost: "truncated"}}
    store.put("latents/small/manifest.json", replace(manifest, counts=counts).to_json())
    assert f"1 images have no latent (first: {lost})" in write(store, tmp_path / "out").cautions[1]


def test_a_folder_of_something_else_is_left_as_it_is(store, released, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metadata.json").write_text("{}")
    with pytest.raises(UnpackError, match="mine holds other files: name a new folder"):
        write(released, tmp_path / "mine")
    assert tree(tmp_path / "mine") == {"metadata.json": b"{}"}
    write(released, tmp_path / "unpacked")
    whole = tree(tmp_path / "unpacked")
    store.put(
        "releases/small/manifest.json", replace(manifest_of(store), digest="1" * 64).to_json()
    )
    with pytest.raises(UnpackError, match="holds the split train of release"):
        write(store, tmp_path / "unpacked", latents=False)
    assert tree(tmp_path / "unpacked") == whole


def test_two_at_once_in_one_folder(released, tmp_path):
    def seen(_):
        with pytest.raises(UnpackError, match="another unpack is at work"):
            write(released, tmp_path)

    assert unpack(plan_unpack(released, "small"), tmp_path, seen=seen).images == 9


def test_a_release_without_sd_scripts_metadata_can_be_unpacked(tmp_path, crawl):
    store = ObjectStore(str(tmp_path / "store"))
    run(store, crawl, release_config(formats=["parquet", "webdataset"]))
    done = write(store, tmp_path / "unpacked")
    assert done.images == 9
    assert done.cautions[0].startswith("no latents are published of this release")
