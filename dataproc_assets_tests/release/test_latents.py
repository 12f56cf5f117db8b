import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import webdataset
from PIL import Image

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.config.project import CONF
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.jobs.cut import cut, psnr, to_pixels
from dataproc_assets.jobs.parts import write_part
from dataproc_assets.models.vae import load_vae
from dataproc_assets.release import latents, tars
from dataproc_assets.release.build import ReleaseExistsError
from dataproc_assets.release.encoded import KEY, latent_index, latent_todo, latent_units
from dataproc_assets.release.latent_checks import check_latents
from dataproc_assets.release.latents import LatentsIncompleteError, publish_latents
from dataproc_assets.release.manifest import verify_latents
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.jobs.encoding import drawn_vae
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import CONFIG, LATENTS, encode, run, tree, units_of
from dataproc_assets_tests.stores import copied


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return drawn_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, crawl, vae):
    """A store with a published release whose images are encoded."""
    store = ObjectStore(str(tmp_path_factory.mktemp("store")))
    run(store, crawl, CONFIG)
    encode(store, vae, crawl)
    return store


@pytest.fixture
def store(encoded, tmp_path):
    """A copy of the encoded store."""
    return copied(encoded, ObjectStore(str(tmp_path)))


def tree_of(store):
    return tree(Path(store.url))


def first_part(store) -> str:
    paths = store.list("units")["path"]
    return paths.filter(paths.str.ends_with(".parquet"))[0]


def publish(store, vae, config=CONFIG):
    return publish_latents(store, config, vae, WHITE, code_version="1")


def test_every_released_image_has_its_sample_and_it_decodes(store, vae, crawl):
    manifest = publish(store, vae).manifest
    shards = [store.uri(f"{manifest.root}/{p}") for p in manifest.files if p.endswith(".tar")]
    train = {row["image_id"]: row for row in read_train(store, "small").iter_rows(named=True)}
    uris = dict(crawl.addresses.select("image_key", "uri").iter_rows())
    model = load_vae(vae)
    index = latent_index(store, latent_fingerprint(vae, WHITE))
    quality = {row["sha256"]: row["psnr"] for row in index.iter_rows(named=True)}
    seen = set()
    for sample in webdataset.WebDataset(shards, shardshuffle=False).decode():
        row, meta, latent = train[sample["__key__"]], sample["json"], sample["latent.npy"]
        seen.add(sample["__key__"])
        bucket = (row["bucket_width"], row["bucket_height"])
        assert meta["bucket"] == list(bucket)
        assert latent.shape == (4, bucket[1] // 8, bucket[0] // 8)
        assert latent.dtype == np.float32
        assert meta["original_size"] == [row["width"], row["height"]]
        assert meta["prompts"]["illustrious"] == row["prompts__illustrious"]
        assert sample["txt"] == row["prompts__animagine"][0]
        pixels, crop = cut(Image.open(uris[row["representative"]]).convert("RGB"), *bucket)
        assert meta["crop_ltrb"] == [crop.left, crop.top, crop.right, crop.bottom]
        again = to_pixels(model.decode(torch.from_numpy(latent[None])).numpy())[0]
        assert psnr(pixels, again) == quality[row["sha256"]]
    assert seen == set(train)
    assert check_latents(store, "small") == []


def test_shards_are_of_one_bucket_and_numbered_from_zero(store, vae):
    manifest = publish(store, vae).manifest
    names = sorted(path for path in manifest.files if path.endswith(".tar"))
    assert names == [
        "webdataset/train-128x128-00000.tar",
        "webdataset/train-128x128-00001.tar",
        "webdataset/train-128x128-00002.tar",
        "webdataset/train-96x160-00000.tar",
        "webdataset/train-96x160-00001.tar",
    ]
    assert manifest.counts["buckets"] == {"128x128": 6, "96x160": 3}
    assert manifest.counts["small_buckets"] == ["96x160"]
    assert manifest.counts["psnr"]["images"] == 9
    assert manifest.config["scaling"] == 1.0


def test_the_table_says_where_each_latent_lies(store, vae):
    manifest = publish(store, vae).manifest
    table = from_parquet(store.get(f"{manifest.root}/latents.parquet"))
    for row in table.iter_rows(named=True):
        shard = store.get(f"{manifest.root}/{row['shard']}")
        with tarfile.open(fileobj=BytesIO(shard)) as archive:
            member = archive.getmember(f"{row['image_id']}.latent.npy")
        assert (row["offset"], row["length"]) == (member.offset_data, member.size)
    assert table.height == 9 and table["shard"].n_unique() == 5


@pytest.mark.parametrize("shards", range(1, 5))
def test_ended_between_two_shards_and_begun_again_it_is_the_same(
    store, encoded, tmp_path_factory, vae, monkeypatch, shards
):
    calls = []
    write = tars.write_tar

    def ended(path, samples):
        if len(calls) == shards:
            raise KeyboardInterrupt
        calls.append(path)
        return write(path, samples)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(latents, "write_tar", ended)
        publish(store, vae)
    assert verify_latents(store, "small")[0].endswith("nothing was published here")
    with monkeypatch.context() as patch:
        patch.setattr(latents, "write_tar", lambda *given: calls.append(given[0]) or write(*given))
        publish(store, vae)
    assert len(calls) == 5  # no shard was written twice
    calm = copied(encoded, ObjectStore(str(tmp_path_factory.mktemp("calm"))))
    publish(calm, vae)
    assert tree_of(store) == tree_of(calm)


def test_the_same_bytes_from_other_units(store, encoded, tmp_path_factory, vae, crawl):
    other = ObjectStore(str(tmp_path_factory.mktemp("other")))
    run(other, crawl, CONFIG)
    todo = latent_todo(
        read_train(other, "small"),
        CONFIG.latents.buckets,
        latent_index(other, "none"),
        crawl.addresses,
    )
    encode(other, vae, crawl, latent_units(todo, 1))
    first, second = publish(store, vae), publish(other, vae)
    assert first.digest == second.digest
    here, there = tree_of(store), tree_of(other)
    assert {p: d for p, d in here.items() if p.startswith("latents/")} == {
        p: d for p, d in there.items() if p.startswith("latents/")
    }


def test_what_is_encoded_is_not_asked_again(store, vae, crawl):
    assert units_of(store, vae, crawl) == {}
    index = latent_index(store, latent_fingerprint(vae, WHITE))
    assert index.height == index.select(KEY).n_unique() == 9
    wider = release_config(
        latents=LATENTS | {"buckets": LATENTS["buckets"] | {"pixels": 25600, "min_side": 96}}
    )
    assert units_of(store, vae, crawl, wider) != {}


def test_a_release_that_is_not_encoded_says_so(tmp_path, vae, crawl):
    store = ObjectStore(str(tmp_path))
    run(store, crawl, CONFIG)
    with pytest.raises(LatentsIncompleteError, match="9 of 9 images of release 'small' are not"):
        publish(store, vae)
    assert store.list("latents").is_empty()


def test_again_is_a_no_op_and_another_form_is_refused(store, vae):
    assert publish(store, vae).created
    assert not publish(store, vae).created
    half = release_config(latents=LATENTS | {"dtype": "float16"})
    with pytest.raises(ReleaseExistsError, match="latents of release 'small' are published at"):
        publish(store, vae, half)


def test_latents_of_an_older_form_are_told_with_the_next_step(store, vae, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(latents, "FORMAT", latents.FORMAT - 1)
        publish(store, vae)
    with pytest.raises(ReleaseExistsError, match="older version; remove that folder and make the"):
        publish(store, vae)


def test_half_precision(store, vae):
    half = release_config(latents=LATENTS | {"dtype": "float16"})
    manifest = publish(store, vae, half).manifest
    shard = store.get(f"{manifest.root}/webdataset/train-96x160-00000.tar")
    with tarfile.open(fileobj=BytesIO(shard)) as archive:
        member = archive.extractfile(archive.next())
        assert np.load(BytesIO(member.read())).dtype == np.float16
    assert check_latents(store, "small") == []


def test_failed_images_are_left_out_by_name(store, vae):
    part = first_part(store)
    frame = from_parquet(store.get(part))
    bad = frame["sha256"][0]
    failed = pl.col("sha256") == bad
    frame = frame.with_columns(
        status=pl.when(failed).then(pl.lit("failed")).otherwise("status"),
        error=pl.when(failed).then(pl.lit("truncated")).otherwise("error"),
    )
    write_part(store, part, frame, {"seconds": {}})
    counts = publish(store, vae).manifest.counts
    train = read_train(store, "small")
    image_id = train.filter(sha256=bad)["image_id"].item()
    assert counts["images"] == 8
    assert counts["failed"] == {image_id: "truncated"}
    assert check_latents(store, "small") == [f"1 images failed (first: {image_id})"]


@pytest.mark.parametrize(
    ("column", "by", "said"),
    [("crop_right", 1, "is not of the bucket's size"), ("both", 500, "is not within the resized")],
)
def test_a_crop_that_cannot_be_is_told(store, vae, column, by, said):
    part = first_part(store)
    columns = ["crop_left", "crop_right"] if column == "both" else [column]
    frame = from_parquet(store.get(part)).with_columns(pl.col(columns) + by)
    write_part(store, part, frame, {"seconds": {}})
    publish(store, vae)
    problems = check_latents(store, "small")
    assert len(problems) == frame.height and all(said in problem for problem in problems)


def test_latents_that_do_not_show_their_pictures_are_told(store, vae):
    quality = publish(store, vae).manifest.counts["psnr"]["mean"]
    assert check_latents(store, "small", quality - 0.1) == []
    (problem,) = check_latents(store, "small", quality + 0.1)
    assert f"at {quality:.1f} dB, less than psnr_min" in problem


def test_a_changed_part_is_refused(store, vae):
    part = first_part(store)
    frame = from_parquet(store.get(part)).with_columns(original_width=pl.lit(1, pl.Int32))
    store.put(part, to_parquet(frame))
    with pytest.raises(ChangedFileError, match="was changed since it was written"):
        publish(store, vae)
    assert verify_latents(store, "small")[0].endswith("nothing was published here")


def test_a_tampered_latent_is_found(store, vae):
    manifest = publish(store, vae).manifest
    path = f"{manifest.root}/webdataset/train-96x160-00000.tar"
    data = bytearray(store.get(path))
    data[700] ^= 1
    store.put(path, bytes(data))
    assert check_latents(store, "small") == [
        f"{store.uri(path)}: its bytes are not those that were published"
    ]


@pytest.mark.slow
def test_the_demo_vae_shows_the_picture_again(tmp_path, crawl):
    demo = read_yaml(CONF / "vaes/demo.yaml", VaeConfig)
    store = ObjectStore(str(tmp_path))
    run(store, crawl, CONFIG)
    encode(store, demo, crawl)
    assert publish(store, demo).manifest.counts["psnr"]["mean"] > 12
