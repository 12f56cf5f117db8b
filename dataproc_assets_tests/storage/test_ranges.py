import itertools
import string
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dataproc_assets.config.intake import ByRanges
from dataproc_assets.storage.listed import LISTING_SCHEMA, sorted_listing
from dataproc_assets.storage.listing import list_prefix
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.ranges import UnorderedError, list_ranges
from dataproc_assets_tests.storage.trees import TREES, fill

NUMBERS = itertools.count()
QUICK = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FLAT = st.sets(st.text(string.digits + "aZ_p.~%é", min_size=1, max_size=5), max_size=40)


class Ordered(ObjectStore):
    """A store of keys in a list, which lists them in their order or in another one."""

    def __init__(self, keys: list[str], order=None, size: int = 1) -> None:
        super().__init__("s3://bucket/root")
        self.size = size
        self.order = order or (lambda key: key.encode())
        self.keys = sorted(keys, key=self.order)

    def pages(self, prefix="", after=None, size=2):
        rows = [
            {"path": key.rstrip("/"), "size": 0 if key.endswith("/") else self.size}
            for key in self.keys
            if key.startswith(f"{prefix}/")
            and (after is None or self.order(key) > self.order(after))
        ]
        for start in range(0, len(rows), size):
            page = pl.DataFrame(rows[start : start + size], schema=LISTING_SCHEMA)
            yield page.with_columns(version=pl.lit("v"))

    def exists(self, path):
        return path in self.keys


def listed(store: ObjectStore, connections: int = 4, page: int = 2) -> list[str]:
    return sorted_listing(list_ranges(store, "crawl", connections, page))["path"].to_list()


@given(
    keys=st.sets(st.text(string.ascii_letters + "-./é~ ", max_size=6), max_size=60),
    connections=st.integers(1, 9),
    page=st.integers(1, 5),
)
def test_ranges_give_every_key_of_an_ordered_store_once(keys, connections, page):
    wanted = {f"crawl/{key}" for key in keys if key and "//" not in key and key.strip("/") == key}
    store = Ordered([*wanted, "crawl-x", "crawm"])
    assert listed(store, connections, page) == sorted(wanted)


@given(
    keys=st.sets(st.text("ab-/", min_size=1, max_size=6), max_size=40),
    connections=st.integers(1, 9),
    size=st.integers(0, 1),
)
def test_ranges_of_any_other_order_are_whole_or_refused(keys, connections, size):
    wanted = {f"crawl/{key}" for key in keys if "//" not in key and key.strip("/") == key}
    store = Ordered(list(wanted), order=lambda key: key.split("/"), size=size)
    try:
        found = listed(store, connections)
    except UnorderedError:
        return
    assert found == sorted(wanted)


def test_marks_of_folders_are_no_disorder():
    keys = ["crawl/a-x", "crawl/a/", "crawl/a/b", "crawl/a0", "crawl/b/", "crawl/b/c"]
    paths = ["crawl/a", "crawl/a-x", "crawl/a/b", "crawl/a0", "crawl/b", "crawl/b/c"]
    for connections in (1, 5):
        assert listed(Ordered(keys), connections, page=1) == paths


@pytest.mark.parametrize("size", [0, 1])
def test_a_folder_by_folder_listing_is_refused_with_advice(size):
    store = Ordered(["crawl/a/b", "crawl/a-x"], order=lambda key: key.split("/"), size=size)
    with pytest.raises(UnorderedError) as caught:
        listed(store, 1)
    assert str(caught.value) == (
        "s3://bucket/root/crawl: listed by ranges, but not in the order of its keys: 'crawl/a-x' "
        "comes after 'crawl/a/b'; set crawl.listing of conf/profiles to `by: folders`"
    )


class Skipping(Ordered):
    """A store that begins a listing too late: it skips the first key."""

    def pages(self, prefix="", after=None, size=2):
        pages = super().pages(prefix, after, size)
        if after is not None:
            yield from (page.slice(1) for page in itertools.islice(pages, 1) if page.height > 1)
        yield from pages


def test_a_listing_that_skips_where_it_begins_is_refused():
    store = Skipping([f"crawl/{number:03d}" for number in range(300)])
    with pytest.raises(UnorderedError, match=r"from 'crawl/.*' on it does not list 'crawl/\d+'"):
        listed(store, 4, page=5)


class Growing(Ordered):
    """A store to which a key is added that only one of the ranges sees; then it is there."""

    def pages(self, prefix="", after=None, size=2):
        if after is not None and "crawl/150" not in self.keys:
            pages = list(super().pages(prefix, after, size))
            self.keys = sorted([*self.keys, "crawl/150"])
            return iter(pages)
        return super().pages(prefix, after, size)


def test_what_is_put_while_the_ranges_are_listed_is_no_disorder():
    keys = [f"crawl/{number}" for number in range(100, 300) if number != 150]
    found = listed(Growing(keys), 4, page=3)
    assert sorted({*found} - {"crawl/150"}) == keys


class Waiting(Ordered):
    """A store whose first listing goes on once another one is under way."""

    def __init__(self, keys):
        super().__init__(keys)
        self.second, self.begun = Event(), []

    def pages(self, prefix="", after=None, size=2):
        self.begun.append(after)
        if after is not None:
            self.second.set()
        for number, page in enumerate(super().pages(prefix, after, size)):
            if after is None and number:
                assert self.second.wait(60), "nothing was split"
            yield page


def test_a_large_range_is_split_while_it_is_listed_and_a_small_one_is_not():
    keys = [f"crawl/resized_1/{number:06d}_p0.webp" for number in range(0, 60_000, 20)]
    large = Waiting(keys)
    assert listed(large, 4, page=100) == keys
    assert len(large.begun) < 300
    small = Waiting(keys[:150])
    small.second.set()
    assert listed(small, 4, page=200) == keys[:150]
    assert small.begun == [None]


class Broken(Ordered):
    """A store that fails in the middle of a range that is not the first."""

    def pages(self, prefix="", after=None, size=2):
        for number, page in enumerate(super().pages(prefix, after, size)):
            yield page
            if after is not None and number:
                raise ConnectionError("s3://bucket/root/crawl: cannot be listed: it broke")


def test_a_listing_of_which_a_range_failed_is_no_listing():
    with pytest.raises(ConnectionError, match="it broke"):
        listed(Broken([f"crawl/{number:04d}" for number in range(2000)]), 4)


@QUICK
@given(names=FLAT, connections=st.integers(1, 6), page=st.integers(1, 7))
def test_a_flat_folder_of_a_server_is_listed_by_ranges(s3_url, names, connections, page):
    names = {name for name in names if set(name) != {"."}}
    store = ObjectStore(f"{s3_url}/{next(NUMBERS)}")
    fill(store, sorted(names))
    found = sorted_listing(list_ranges(store, "crawl", connections, page))
    assert_frame_equal(found, store.list("crawl"))
    assert found.height == len(names)


@QUICK
@given(tree=TREES, connections=st.integers(1, 6))
def test_a_tree_of_a_server_is_whole_or_refused(s3_url, tree, connections):
    store = ObjectStore(f"{s3_url}/{next(NUMBERS)}")
    fill(store, tree)
    try:
        found = sorted_listing(list_ranges(store, "crawl", connections, page=2))
    except UnorderedError:
        return
    assert_frame_equal(found, store.list("crawl"))


def test_a_server_that_lists_folder_by_folder_is_refused(s3_url):
    store = ObjectStore(s3_url)
    fill(store, ["a/b", "a-x"])
    with pytest.raises(UnorderedError, match="'crawl/a-x' comes after 'crawl/a/b'"):
        list_prefix(store, "crawl", ByRanges(by="ranges", connections=2))


def test_ranges_of_more_than_one_page_are_whole(s3_url):
    store = ObjectStore(s3_url)
    paths = [f"crawl/resized_1/{number * 7:06d}_p0.webp" for number in range(2500)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda path: store.put(path, b"x"), paths))
    found = list_prefix(store, "crawl", ByRanges(by="ranges", connections=4))
    assert found["path"].to_list() == paths
    assert_frame_equal(found, store.list("crawl"))


def test_a_server_in_the_order_of_its_keys_is_listed_by_ranges(events):
    names = [f"{char}/{number}" for char in "a~é" for number in range(6)]
    odd = ["a-x", "a.b", "B", "é ぴ", "a+b&c%20", "~{^}[1]#?*", "a/", "b/", "b/c", "a-x/d"]
    for name in [*names, *odd]:
        body = b"" if name.endswith("/") else b"x"
        events.s3.put_object(Bucket=events.bucket, Key=f"root/crawl/{name}", Body=body)
    store = ObjectStore(f"s3://{events.bucket}/root")
    plain = store.list("crawl")
    assert {f"crawl/{name.rstrip('/')}" for name in [*names, *odd]} == set(plain["path"])
    for connections, page in ((1, 3), (6, 2), (3, 5)):
        found = sorted_listing(list_ranges(store, "crawl", connections, page))
        assert_frame_equal(found, plain)
