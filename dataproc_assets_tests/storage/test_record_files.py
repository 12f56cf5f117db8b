import polars as pl

from dataproc_assets.config.sources import CrawlConfig
from dataproc_assets.storage.crawl import read_crawl
from dataproc_assets.storage.record_files import read_files
from dataproc_assets_tests.storage.shards import plain_reader, tar_bytes

CRAWL = CrawlConfig(prefix="x", extensions=["webp"], shards=["*.tar"], records=["*.jsonl"])


def test_a_file_and_a_member_come_with_the_place_they_are_found_at(store):
    store.put("x/posts.jsonl", b"lines")
    store.put("x/s.tar", tar_bytes({"d/1.json": b"{}", "1.webp": b"image", "empty.json": b""}))
    found = list(read_files(read_crawl(store, CRAWL, plain_reader()).records))
    assert found == [
        (store.uri("x/posts.jsonl"), "posts.jsonl", b"lines"),
        (f"{store.uri('x/s.tar')}:1.json", "1.json", b"{}"),
        (f"{store.uri('x/s.tar')}:empty.json", "empty.json", b""),
    ]


def test_no_files_are_no_records():
    schema = {"name": pl.String, "uri": pl.String, "offset": pl.Int64, "length": pl.Int64}
    assert list(read_files(pl.DataFrame(schema=schema))) == []
