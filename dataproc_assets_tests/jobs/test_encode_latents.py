import errno
import json
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from dataproc_assets.config.latents import latent_fingerprint
from dataproc_assets.config.weights import File
from dataproc_assets.jobs import encode_latents
from dataproc_assets.jobs.cut import cut, psnr, to_pixels, to_signed
from dataproc_assets.jobs.latent_noise import normal_noise
from dataproc_assets.jobs.latent_rows import LATENT_SCHEMA, Request, is_drawn
from dataproc_assets.jobs.read import StorageOutageError, read_image
from dataproc_assets.models.vae import load_vae
from dataproc_assets.runners import JobFailed, make_runner
from dataproc_assets.storage.layout import done_path, latent_part_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets_tests.jobs.encoding import drawn_vae, encode_here, encode_job
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.pictures import WHITE
from dataproc_assets_tests.release.crawl import make_crawl


def todo(crawl) -> pl.DataFrame:
    side = pl.lit(64, pl.Int32)
    return crawl.addresses.select(
        crawl.images["sha256"], "uri", "offset", "length", bucket_width=side, bucket_height=side
    )


def encode(store: Path, vae, frame: pl.DataFrame, unit: str = "u", **options):
    job = encode_job(store, vae, {f"{unit}.todo.parquet": to_parquet(frame)}, **options)
    with TemporaryDirectory() as folder:
        return encode_here(job, Path(folder))


def part(store: Path, vae, unit: str = "u") -> pl.DataFrame:
    path = latent_part_path(latent_fingerprint(vae, WHITE), unit)
    return from_parquet(ObjectStore(str(store)).get(path))


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return drawn_vae(tmp_path_factory.mktemp("vae"))


@pytest.fixture(scope="module")
def crawl(tmp_path_factory):
    return make_crawl(tmp_path_factory.mktemp("crawl"), 5)


@pytest.fixture(scope="module")
def encoded(tmp_path_factory, vae, crawl):
    store = tmp_path_factory.mktemp("store")
    return store, encode(store, vae, todo(crawl), sample_share=1.0)


def test_every_image_has_the_latent_of_its_cut(encoded, vae, crawl):
    store, result = encoded
    rows = part(store, vae)
    assert (result["done"], result["errors"], result["parts"]) == (5, {}, 1)
    assert rows.schema == LATENT_SCHEMA
    assert rows["sha256"].to_list() == sorted(crawl.images["sha256"])
    uris = dict(zip(crawl.images["sha256"], crawl.addresses["uri"], strict=True))
    model = load_vae(vae)
    for row in rows.iter_rows(named=True):
        image = Image.open(uris[row["sha256"]]).convert("RGB")
        pixels, crop = cut(image, 64, 64)
        expected = model.encode(torch.from_numpy(to_signed(pixels[None])))
        latent = np.frombuffer(row["latent"], "<f4").reshape(1, 4, 8, 8)
        assert (latent == expected.numpy()).all()
        assert (row["original_width"], row["original_height"]) == image.size
        assert (row["crop_left"], row["crop_bottom"]) == (crop.left, crop.bottom)
        again = to_pixels(model.decode(torch.from_numpy(latent.copy())).numpy())[0]
        assert row["psnr"] == psnr(pixels, again)
        assert Image.open(BytesIO(row["preview"])).size == (64, 64)


def test_the_sample_is_drawn_by_hash(tmp_path, vae, crawl):
    encode(tmp_path, vae, todo(crawl), sample_share=0.5)
    rows = part(tmp_path, vae)
    drawn = [is_drawn(sha256, 0.5) for sha256 in rows["sha256"]]
    assert 0 < sum(drawn) < 5
    assert (rows["psnr"].is_not_null() == pl.Series(drawn)).all()
    assert (rows["preview"].is_not_null() == pl.Series(drawn)).all()


def test_the_part_does_not_depend_on_order_or_company(encoded, tmp_path, vae, crawl):
    frame = todo(crawl).reverse()
    encode(tmp_path, vae, frame.head(2), "a", sample_share=1.0)
    encode(tmp_path, vae, frame.tail(3), "b", sample_share=1.0)
    both = pl.concat([part(tmp_path, vae, "a"), part(tmp_path, vae, "b")]).sort("sha256")
    assert both.equals(part(encoded[0], vae))


def test_what_cannot_be_encoded_keeps_its_row_and_reason(tmp_path, vae):
    crawl = make_crawl(tmp_path / "crawl", 4)
    frame = todo(crawl)
    uris = crawl.addresses["uri"]
    Path(uris[0]).unlink()
    Path(uris[1]).write_bytes(Path(uris[3]).read_bytes())
    broken = b"not a picture"
    Path(uris[2]).write_bytes(broken)
    store = tmp_path / "store"
    result = encode(store, vae, frame)
    rows = {row["sha256"]: row for row in part(store, vae).iter_rows(named=True)}
    reasons = [
        (rows[s]["status"], (rows[s]["error"] or "").partition(":")[0])
        for s in crawl.images["sha256"]
    ]
    assert reasons == [
        ("retry", "missing"),
        ("retry", "changed"),
        ("failed", "not_an_image"),
        ("ok", ""),
    ]
    assert rows[crawl.images["sha256"][0]]["latent"] is None
    assert result["errors"] == {"changed": 1, "missing": 1, "not_an_image": 1}


def test_a_unit_that_is_done_is_not_encoded_again(tmp_path, vae, crawl):
    encode(tmp_path, vae, todo(crawl))
    path = latent_part_path(latent_fingerprint(vae, WHITE), "u")
    mark = tmp_path / done_path(path)
    assert json.loads(mark.read_text())["ok"] == 5
    before = (tmp_path / path).stat().st_mtime_ns
    assert encode(tmp_path, vae, todo(crawl))["parts"] == 0
    assert (tmp_path / path).stat().st_mtime_ns == before
    mark.unlink()
    assert encode(tmp_path, vae, todo(crawl))["parts"] == 1


def test_a_part_is_written_before_the_next_unit_is_read(tmp_path, vae, crawl, monkeypatch):
    frame = todo(crawl).sort("sha256")
    units = {f"{u}.todo.parquet": to_parquet(frame[i : i + 1]) for i, u in enumerate("ab")}
    store, first = tmp_path / "store", latent_part_path(latent_fingerprint(vae, WHITE), "a")
    written = []

    def read_after_the_first(uri, *rest):
        deadline = time.monotonic() + 60
        while uri == frame["uri"][1] and time.monotonic() < deadline:
            if (store / done_path(first)).exists():
                written.append(first)
                break
            time.sleep(0.01)
        return read_image(uri, *rest)

    monkeypatch.setattr(encode_latents, "read_image", read_after_the_first)
    encode_here(encode_job(store, vae, units), tmp_path)
    assert written == [first]


def test_an_outage_ends_the_job_with_its_reason(tmp_path, vae):
    crawl = make_crawl(tmp_path / "crawl", 5)
    for uri in crawl.addresses["uri"]:
        Path(uri).unlink()
    with pytest.raises(StorageOutageError, match="4 images in a row could not be read"):
        encode(tmp_path / "store", vae, todo(crawl))


@pytest.mark.slow
def test_two_processes_give_the_same_part_and_one_failure_names_its_reason(
    encoded, tmp_path, vae, crawl
):
    frame = todo(crawl)
    units = {f"{i}.todo.parquet": to_parquet(frame[i : i + 1]) for i in range(5)}
    store = tmp_path / "store"
    result = make_runner(runner_config(processes=2)).run(encode_job(store, vae, units, 1.0))
    assert (result.workers, result.progress.parts) == (2, 5)
    together = pl.concat([part(store, vae, str(i)) for i in range(5)]).sort("sha256")
    assert together.equals(part(encoded[0], vae))
    wrong = vae.model_copy(update={"weights": File(uri=vae.weights.uri, sha256="0" * 64)})
    with pytest.raises(JobFailed, match=r"WeightsError.*conf/vaes/drawn\.yaml: weights"):
        make_runner(runner_config()).run(encode_job(store, wrong, units))


def test_a_sample_is_the_same_in_any_company_and_is_not_the_mean(encoded, tmp_path, vae, crawl):
    drawn = vae.model_copy(update={"latent": "sample", "seed": 3})
    frame = todo(crawl).sort("sha256")
    for unit, rows in (("all", frame), ("a", frame.head(2)), ("b", frame.tail(3))):
        encode(tmp_path, drawn, rows, unit)
    whole = part(tmp_path, drawn, "all")
    assert pl.concat([part(tmp_path, drawn, "a"), part(tmp_path, drawn, "b")]).equals(whole)
    assert set(whole["latent"]).isdisjoint(part(encoded[0], vae)["latent"])


def test_the_commonest_buckets_are_compiled():
    keys = ["bucket_width", "bucket_height"]
    units = [
        pl.DataFrame([(64, 32), (32, 64), (96, 32)], schema=keys, orient="row"),
        pl.DataFrame([(96, 32), (64, 32)], schema=keys, orient="row"),
    ]
    assert encode_latents.commonest_buckets(units, 2) == [(64, 32), (96, 32)]
    assert encode_latents.commonest_buckets(units, 9) == [(64, 32), (96, 32), (32, 64)]
    assert encode_latents.commonest_buckets(units, 0) == []


def test_noise_is_normal_and_each_images_own(vae):
    drawn = vae.model_copy(update={"latent": "sample"})
    request = Request("u", "ab", "x", None, None, 512, 256, True)
    noise = normal_noise(request, drawn)
    assert noise is not None
    assert (noise.shape, noise.dtype) == ((4, 32, 64), np.float32)
    assert abs(noise.mean()) < 0.05 and abs(noise.std() - 1) < 0.05
    other = normal_noise(replace(request, sha256="cd"), drawn)
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.05
    assert normal_noise(request, vae) is None


def test_a_part_that_cannot_be_written_ends_the_job_and_the_rerun_has_it(
    encoded, tmp_path, vae, crawl, monkeypatch
):
    def full(self, path, data):
        raise OSError(errno.ENOSPC, "No space left on device", path)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "put", full)
        with pytest.raises(OSError, match="No space left on device"):
            encode(tmp_path, vae, todo(crawl), sample_share=1.0)
    assert not list(tmp_path.rglob("*.parquet"))
    encode(tmp_path, vae, todo(crawl), sample_share=1.0)
    path = latent_part_path(latent_fingerprint(vae, WHITE), "u")
    assert (tmp_path / path).read_bytes() == (encoded[0] / path).read_bytes()
