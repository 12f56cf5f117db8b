from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.config.profiles import CrawlRootConfig
from dataproc_assets.config.project import load_project
from dataproc_assets.storage.crawl import listing_digest, read_crawl
from dataproc_assets.storage.crawl_listing import crawl_listing
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.report_manifest import ReportError
from dataproc_assets_tests.storage.reports import FORMATS, TAKEN, Reports
from dataproc_assets_tests.storage.shards import plain_reader

PIXIV = load_project().sources["pixiv"]
PREFIX = PIXIV.crawl.prefix


@pytest.fixture
def reports(s3_url) -> Reports:
    store = ObjectStore(f"{s3_url}/root")
    for number in range(4):
        store.put(f"{PREFIX}/resized_1572864/{number}_p0.webp", b"x" * number)
    return Reports(store)


def crawl(url: str, **options) -> CrawlRootConfig:
    values = load_project().profile.crawl.model_dump()
    return CrawlRootConfig(**{**values, "root": url, **options})


def write(reports: Reports, **options) -> None:
    listing = reports.store.list(PREFIX)
    reports.write(reports.rows(listing), **options)


def test_a_source_without_a_report_is_listed(store):
    store.put(f"{PREFIX}/a/1_p0.webp", b"one")
    store.put(f"{PREFIX}x/1_p0.webp", b"of another source")
    listing = crawl_listing(store, PIXIV, crawl(store.url))
    assert_frame_equal(listing.frame, store.list(PREFIX))
    assert (listing.complete, listing.taken_at, listing.what) == (True, None, "1 objects")
    assert listing.newest == listing.frame["modified"].item()
    store.put(f"{PREFIX}/a/2_p0.webp", b"two")
    assert crawl_listing(store, PIXIV, crawl(store.url)).digest != listing.digest


def test_a_source_without_objects_has_no_newest(store):
    store.put("other/1", b"")
    assert crawl_listing(store, PIXIV, crawl(store.url)).newest is None


@pytest.mark.parametrize("form", FORMATS)
def test_going_over_to_a_report_scores_nothing_again(reports, form):
    store = reports.store
    listed = crawl_listing(store, PIXIV, crawl(store.url))
    write(reports, form=form)
    config = crawl(store.url, reports={"pixiv": reports.url})
    reported = crawl_listing(store, PIXIV, config)
    assert_frame_equal(reported.frame, listed.frame)
    assert listing_digest(reported.frame) == listing_digest(listed.frame)
    crawls = [read_crawl(store, PIXIV.crawl, plain_reader(), x.frame) for x in (listed, reported)]
    assert crawls[0].images.height == 4
    assert_frame_equal(crawls[0].images, crawls[1].images)
    assert reported.digest != listed.digest
    assert (reported.complete, reported.taken_at, reported.newest) == (True, TAKEN, TAKEN)
    assert reported.what == "the report of 2026-02-01 01:00 UTC"


def test_a_report_of_another_source_is_not_taken(reports):
    config = crawl(reports.store.url, reports={"danbooru": reports.url})
    assert crawl_listing(reports.store, PIXIV, config).frame.height == 4


def test_the_digest_of_a_report_takes_no_file_and_changes_with_each(reports):
    config = crawl(reports.store.url, reports={"pixiv": reports.url})
    write(reports)
    first = crawl_listing(reports.store, PIXIV, config)
    assert crawl_listing(reports.store, PIXIV, config).digest == first.digest
    reports.store.delete(f"{reports.folder}/data/2026-02-01T01-00Z-0.parquet")
    again = crawl_listing(reports.store, PIXIV, config)
    assert again.digest == first.digest
    with pytest.raises(ReportError, match="it is missing"):
        _ = again.frame
    write(reports, day="2026-02-02T01-00Z", taken=TAKEN + timedelta(days=1))
    later = crawl_listing(reports.store, PIXIV, config)
    assert later.digest != first.digest
    assert later.taken_at == datetime(2026, 2, 2, 1, tzinfo=UTC)


def test_a_report_is_of_the_roots_bucket(reports):
    write(reports)
    config = crawl("s3://another/root", reports={"pixiv": reports.url})
    with pytest.raises(ReportError, match="a report of the bucket 'test', not of 'another'"):
        crawl_listing(ObjectStore("s3://another/root"), PIXIV, config)


def test_a_report_tells_the_same_of_shards(reports):
    from dataproc_assets_tests.storage.shards import tar_bytes

    danbooru = load_project().sources["danbooru"]
    store = reports.store
    store.put(f"{danbooru.crawl.prefix}/0001.tar", tar_bytes({"1.webp": b"1", "1.json": b"{}"}))
    listed = store.list(danbooru.crawl.prefix)
    reports.write(reports.rows(listed))
    config = crawl(store.url, reports={"danbooru": reports.url})
    reported = crawl_listing(store, danbooru, config).frame
    one, other = (
        read_crawl(store, danbooru.crawl, plain_reader(), x).images for x in (listed, reported)
    )
    assert one.height == 1
    assert_frame_equal(one, other)
    assert one["modified"].to_list() == listed["modified"].to_list()
    assert pl.Series([TAKEN]).dtype == one.schema["modified"]
