import pytest

from dataproc_assets.config.intake import ByFolders, ByRanges
from dataproc_assets.config.sources import CrawlConfig
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.crawl import ODD_KEY, listing_digest, read_crawl
from dataproc_assets.storage.listing import list_prefix
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.odd_keys import odd_pages
from dataproc_assets_tests.storage.shards import plain_reader

LISTINGS = [
    ByFolders(by="folders", connections=3, split_after=2),
    ByRanges(by="ranges", connections=3),
]
CRAWL = CrawlConfig(prefix="crawl", images=["r/*"], extensions=["webp"], records=["r/*.json"])
PATHS = [
    *("r/1 a.webp", "r/2'\"&<>.webp", "r/3 初音ミク.webp", "r/4%41+b.webp", "r/5\\n.webp"),
    *("r/6.json", "r/.7.webp", "r/..8.webp", "r/9..webp"),
]
ODD = ["r//1.webp", "r/../2.webp", "../r/3.webp", "r/./4.webp", "r/5\x01.webp", "r/a//b/6.json"]


@pytest.fixture
def store(events) -> ObjectStore:
    """A crawl below a prefix of a bucket, with another crawl beside it."""
    for path in PATHS:
        events.put(f"root/crawl/{path}", path.encode())
    events.put("root/crawl-b/r/1.webp", b"of another source")
    return ObjectStore(f"s3://{events.bucket}/root")


@pytest.mark.parametrize("config", LISTINGS)
def test_keys_of_any_letters_are_paths_and_are_read_by_them(store, config):
    listing = list_prefix(store, "crawl", config)
    assert listing["path"].to_list() == sorted(f"crawl/{path}" for path in PATHS)
    crawl = read_crawl(store, CRAWL, plain_reader(), listing)
    assert crawl.ignored.is_empty()
    for uri, offset, length in crawl.images.select("uri", "offset", "length").iter_rows():
        assert uri.endswith(read_address(uri, offset, length).decode())


@pytest.mark.parametrize("config", LISTINGS)
@pytest.mark.parametrize("odd", ODD)
def test_a_key_that_is_no_path_is_set_aside_and_costs_no_other(events, store, config, odd):
    before = list_prefix(store, "crawl", config)
    events.put(f"root/crawl/{odd}", b"odd")
    listing = list_prefix(store, "crawl", config)
    assert listing["path"].to_list() == sorted(f"crawl/{path}" for path in [*PATHS, odd])
    assert listing.filter(listing["path"] != f"crawl/{odd}").equals(before)
    crawl = read_crawl(store, CRAWL, plain_reader(), listing)
    assert crawl.ignored.rows() == [(store.uri(f"crawl/{odd}"), ODD_KEY)]
    assert crawl.images.height + crawl.records.height == len(PATHS)
    assert crawl.digest == listing_digest(listing) != listing_digest(before)


def test_a_bucket_that_is_away_is_named(events):
    with pytest.raises(ConnectionError, match=r"NoSuchBucket .*; make the bucket"):
        list(odd_pages("s3://nowhere", "crawl"))


def test_the_marks_of_folders_are_as_a_listing_has_them(events):
    for key in ("a/", "a/b/", "a/b/1", ""):
        events.put(f"crawl/{key}", b"")
    store = ObjectStore(f"s3://{events.bucket}")
    (page,) = odd_pages(store.url, "crawl")
    assert page.sort("path").equals(store.list("crawl"))
