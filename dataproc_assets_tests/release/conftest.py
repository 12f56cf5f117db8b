import pytest

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import Crawl, make_crawl
from dataproc_assets_tests.release.making import with_latents


@pytest.fixture(scope="session")
def crawl(tmp_path_factory) -> Crawl:
    return make_crawl(tmp_path_factory.mktemp("crawl"))


@pytest.fixture(scope="session")
def released(tmp_path_factory, crawl) -> ObjectStore:
    """A published release with its latents: to be read only."""
    store = ObjectStore(str(tmp_path_factory.mktemp("released")))
    with_latents(store, crawl, tmp_path_factory.mktemp("vae"))
    return store
