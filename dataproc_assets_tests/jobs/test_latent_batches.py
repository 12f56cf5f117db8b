import numpy as np
import polars as pl
import pytest

from dataproc_assets.jobs.in_order import InOrder
from dataproc_assets.jobs.latent_batches import LatentBatches
from dataproc_assets.jobs.latent_rows import Picture, Request
from dataproc_assets.models.vae import load_vae
from dataproc_assets.transforms.buckets import cover
from dataproc_assets_tests.jobs.encoding import drawn_vae


@pytest.fixture(scope="module")
def vae(tmp_path_factory):
    return load_vae(drawn_vae(tmp_path_factory.mktemp("vae")))


def pictures() -> list[Picture]:
    """Five of one bucket, two of another, and one that was lost between them."""
    made = []
    for index, (width, height) in enumerate([(32, 64)] * 5 + [(64, 32)] * 3):
        request = Request("u", f"{index:064x}", "x", None, None, width, height, index == 7)
        if index == 5:
            made.append(Picture(request, "failed", "broken: it is"))
            continue
        pixels = np.random.default_rng(index).integers(0, 256, (height, width, 3), np.uint8)
        crop = cover(width, height, width, height)
        made.append(Picture(request, size=(width, height), crop=crop, pixels=pixels))
    return made


def encoded(vae, size: int) -> pl.DataFrame:
    with InOrder(2) as collector:
        batches = LatentBatches("u", vae, collector, size, 1.0)
        for picture in pictures():
            batches.add(picture)
        rows = batches.finish()
    return rows.frame()


def test_padded_batches_give_the_rows_of_pictures_one_by_one(vae):
    frame = encoded(vae, 1)
    assert frame["status"].to_list() == ["ok"] * 5 + ["failed"] + ["ok"] * 2
    assert frame["psnr"].null_count() == frame["preview"].null_count() == 1
    assert frame["latent"].n_unique() == 8
    for size in (2, 3, 16):
        assert encoded(vae, size).equals(frame)


def test_a_latent_that_is_not_finite_fails_its_row_alone(vae, monkeypatch):
    pixels = pictures()[0].pixels
    start = vae.start_encoding

    def one_is_nan(shown, size, noise):
        pending = start(shown, size, noise)
        for row, picture in enumerate(shown):
            if np.array_equal(picture, pixels):
                pending.wait()[row, 0, 0, 0] = np.nan
        return pending

    monkeypatch.setattr(vae, "start_encoding", one_is_nan)
    frame = encoded(vae, 3)
    assert frame["status"].to_list() == ["failed", *["ok"] * 4, "failed", "ok", "ok"]
    row = frame.row(0, named=True)
    assert row["error"].startswith("not_finite")
    assert row["latent"] is row["psnr"] is row["preview"] is None
