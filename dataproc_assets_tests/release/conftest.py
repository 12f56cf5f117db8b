import polars as pl
import pytest

from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets_tests.release.crawl import Crawl, make_crawl
from dataproc_assets_tests.release.making import with_latents
from dataproc_assets_tests.release.purging import CONFIG


@pytest.fixture(scope="session")
def crawl(tmp_path_factory) -> Crawl:
    return make_crawl(tmp_path_factory.mktemp("crawl"))


@pytest.fixture(scope="session")
def released(tmp_path_factory, crawl) -> ObjectStore:
    """A published release with its latents: to be read only."""
    store = ObjectStore(str(tmp_path_factory.mktemp("released")))
    with_latents(store, crawl, tmp_path_factory.mktemp("vae"))
    return store


@pytest.fixture(scope="session")
def purgeable(tmp_path_factory, crawl) -> ObjectStore:
    """A release with latents and with what is left of a denoiser: to be copied."""
    store = ObjectStore(str(tmp_path_factory.mktemp("purgeable")))
    with_latents(store, crawl, tmp_path_factory.mktemp("vae"), CONFIG)
    ids = read_train(store, "small")["image_id"]
    for unit, images in (("one", ids.head(2)), ("two", ids.tail(2)), ("of_another", ["f" * 32])):
        losses = pl.DataFrame({"image_id": images, "none": 1.0})
        store.put(f"units/denoisers/x/{unit}.losses.parquet", to_parquet(losses))
        store.put(f"units/denoisers/x/{unit}.losses.json", b"{}")
        store.put(f"units/denoisers/x/{unit}.safetensors", b"weights")
    store.put("denoisers/small/root/model.safetensors", b"weights")
    return store
