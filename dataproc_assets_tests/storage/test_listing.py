import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.config.intake import ByFolders, ByRanges
from dataproc_assets.storage.listing import list_prefix
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.storage.trees import TREES, fill

NUMBERS = itertools.count()
QUICK = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def by_folders(connections: int = 3, split_after: int = 2) -> ByFolders:
    return ByFolders(by="folders", connections=connections, split_after=split_after)


def put_all(store: ObjectStore, paths: list[str]) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: store.put(path, b"x"), paths))


@QUICK
@given(tree=TREES, split_after=st.integers(1, 6), connections=st.integers(1, 600))
def test_folders_give_what_one_listing_gives(tmp_path, tree, split_after, connections):
    store = ObjectStore(str(tmp_path / str(next(NUMBERS))))
    fill(store, tree)
    found = list_prefix(store, "crawl", by_folders(min(connections, 256), split_after))
    assert_frame_equal(found, store.list("crawl"))
    assert found["path"].to_list() == sorted(f"crawl/{path}" for path in tree)


@QUICK
@given(tree=TREES, split_after=st.integers(1, 6))
def test_folders_give_what_one_listing_gives_on_a_server(s3_url, tree, split_after):
    store = ObjectStore(f"{s3_url}/{next(NUMBERS)}")
    fill(store, tree)
    found = list_prefix(store, "crawl", by_folders(256, split_after))
    assert_frame_equal(found, store.list("crawl"))
    assert found["path"].to_list() == sorted(f"crawl/{path}" for path in tree)


def test_the_root_is_a_folder_too(store):
    paths = ["1", "a/1", "a/b/1", "a/b/2", "b/1"]
    put_all(store, paths)
    assert list_prefix(store, "", by_folders(256, 1))["path"].to_list() == paths


def test_an_object_and_a_folder_of_one_name_are_both_there(s3_url):
    store = ObjectStore(s3_url)
    fill(store, ["a", "a/b", "a-x/c", "a-x"])
    found = list_prefix(store, "crawl", by_folders(256, 1))
    assert_frame_equal(found, store.list("crawl"))
    assert found["path"].to_list() == ["crawl/a", "crawl/a-x", "crawl/a-x/c", "crawl/a/b"]


def test_the_mark_of_a_folder_hides_no_object(s3_url):
    import boto3

    store = ObjectStore(s3_url)
    fill(store, ["b", "a/c", "d/e"])
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    for folder in ("a/", "empty/"):
        client.put_object(Bucket=bucket, Key=f"{prefix}/crawl/{folder}", Body=b"")
    plain = store.list("crawl")
    assert {"crawl/a/c", "crawl/b", "crawl/d/e"} <= set(plain["path"])
    assert_frame_equal(list_prefix(store, "crawl", by_folders(256, 1)), plain)


def test_folders_of_more_than_one_page_are_whole(s3_url):
    store = ObjectStore(s3_url)
    paths = [f"crawl/{number % 2}/{number:04d}.webp" for number in range(2200)]
    put_all(store, [*paths, *(f"crawl/few/{number}/x" for number in range(1050))])
    found = list_prefix(store, "crawl", by_folders(4, 100))
    assert found.height == 3250
    assert_frame_equal(found, store.list("crawl"))


class Counting(ObjectStore):
    """A store that counts how its folders are listed."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.streams: list[str] = []
        self.folders: list[str] = []

    def pages(self, prefix: str = "", *args, **options):
        self.streams.append(prefix)
        return super().pages(prefix, *args, **options)

    def folder(self, prefix):
        self.folders.append(prefix)
        return super().folder(prefix)


def test_a_folder_is_split_where_its_sub_folders_hold_enough(tmp_path):
    store = Counting(str(tmp_path))
    put_all(store, [f"crawl/{number % 3}/{number}" for number in range(1800)])
    list_prefix(store, "crawl", by_folders(2, 1500))
    assert store.folders == ["crawl"]
    assert sorted(store.streams) == ["crawl", "crawl/0", "crawl/1", "crawl/2"]


@pytest.mark.parametrize("folders", [1, 900])
def test_a_flat_folder_and_one_of_tiny_folders_are_one_listing(tmp_path, folders):
    store = Counting(str(tmp_path))
    put_all(store, [f"crawl/{n}" if folders == 1 else f"crawl/{n}/1" for n in range(900)])
    assert list_prefix(store, "crawl", by_folders(16, 100)).height == 900
    assert (store.folders, store.streams) == ([], ["crawl"])


class Failing(ObjectStore):
    """A store of which one folder cannot be listed to its end."""

    def pages(self, prefix: str = "", *args, **options):
        yield from super().pages(prefix, *args, **options)
        if prefix.endswith("/bad"):
            raise ConnectionError(f"{self.uri(prefix)}: cannot be listed: it broke")


def test_a_listing_of_which_a_part_failed_is_no_listing(tmp_path):
    store = Failing(str(tmp_path))
    put_all(store, [f"crawl/{name}/{n}" for name in ("a", "bad", "c", "d") for n in range(20)])
    with pytest.raises(ConnectionError, match="crawl/bad: cannot be listed: it broke"):
        list_prefix(store, "crawl", by_folders(256, 1))


@pytest.mark.parametrize("config", [by_folders(), ByRanges(by="ranges", connections=3)])
def test_a_prefix_without_objects_is_an_empty_listing(store, config):
    store.put("else", b"")
    found = list_prefix(store, "crawl", config)
    assert found.is_empty() and found.schema == store.list().schema


def test_a_root_that_is_away_is_no_empty_listing(tmp_path):
    with pytest.raises(ConnectionError, match="there is no such folder"):
        list_prefix(ObjectStore(str(tmp_path / "away")), "crawl", by_folders())
    assert not (tmp_path / "away").exists()
