import pytest

from dataproc_assets_tests.release.crawl import Crawl, make_crawl


@pytest.fixture(scope="session")
def crawl(tmp_path_factory) -> Crawl:
    return make_crawl(tmp_path_factory.mktemp("crawl"))
