from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.shard_ranges import HeaderRanges, plan_ranges
from dataproc_assets.storage.tar_index import TarIndex, tar_index
from dataproc_assets_tests.storage.shards import CountingStore, shard_config, tar_bytes

CONFIG = shard_config()
DATA = bytes(range(251)) * 1000


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def walk(store: ObjectStore, data: bytes, pool: Executor, plan=()) -> TarIndex:
    store.put("x.tar", data)
    ranges = HeaderRanges(store, "x.tar", len(data), CONFIG, plan, pool)
    return tar_index(ranges.read, len(data), CONFIG.block_bytes)


def data_of(found: TarIndex) -> list[tuple[int, int]]:
    return [(member.offset, member.size) for member in found.members]


def test_small_members_take_few_requests(tmp_path, pool):
    store = CountingStore(str(tmp_path))
    data = tar_bytes({f"{number}.webp": b"x" * 2000 for number in range(1000)})
    assert len(walk(store, data, pool).members) == 1000
    assert len(store.ranges) <= 7  # blocks of 64 KiB to 1 MiB for 2.5 MB


def test_the_bytes_of_large_members_are_not_read(tmp_path, pool):
    store = CountingStore(str(tmp_path))
    data = tar_bytes({f"{number}.webp": bytes(1_000_000) for number in range(50)})
    assert len(walk(store, data, pool).members) == 50
    assert len(store.ranges) <= 52
    assert store.bytes < len(data) / 50


def test_a_large_image_and_its_records_are_one_request(tmp_path, pool):
    store = CountingStore(str(tmp_path))
    files = {}
    for number in range(20):
        files |= {f"{number}.webp": bytes(300_000), f"{number}.json": b"{}", f"{number}.txt": b"1"}
    assert len(walk(store, tar_bytes(files), pool).members) == 60
    assert len(store.ranges) <= 22


def test_small_members_after_large_ones_are_read_in_blocks_again(tmp_path, pool):
    store = CountingStore(str(tmp_path))
    large = {f"{number}.webp": bytes(1_000_000) for number in range(5)}
    small = {f"{number}.json": b"x" * 2000 for number in range(1000)}
    assert len(walk(store, tar_bytes({**large, **small}), pool).members) == 1005
    assert len(store.ranges) <= 16


def test_a_plan_reads_headers_alone_and_finds_the_same(store, tmp_path, pool):
    data = tar_bytes({f"{number}{'x' * number}.webp": bytes(100_000) for number in range(120)})
    plain = walk(store, data, pool)
    counting = CountingStore(str(tmp_path / "counting"))
    plan = plan_ranges(data_of(plain), len(data), CONFIG)
    assert walk(counting, data, pool, plan) == plain
    assert len(counting.ranges) == len(plan) == 121
    assert counting.bytes < 160_000


def test_headers_that_are_close_are_one_range():
    config = shard_config(small_bytes=1024, block_bytes=4096)
    members = [(512, 512), (1536, 512), (2560, 512), (3584, 9000), (13_312, 0), (13_824, 1)]
    # the fourth member's data end in the block at 12,288; the last range is the end mark's
    close = [(0, 3584), (12_800, 13_824), (14_336, 20_000)]
    assert plan_ranges(members, 20_000, config) == close
    assert plan_ranges([], 20_000, config) == []


def test_members_that_an_index_leaves_out_are_found(tmp_path, pool):
    files = {f"{number}.webp": bytes(200_000) for number in range(9)}
    data = tar_bytes(files)
    plain = walk(ObjectStore(str(tmp_path)), data, pool)
    for left in range(9):
        plan = plan_ranges(data_of(plain)[left : left + 2], len(data), CONFIG)
        assert walk(ObjectStore(str(tmp_path)), data, pool, plan) == plain


def test_the_plan_of_another_tar_is_dropped(tmp_path, pool):
    data = tar_bytes({f"{number}.webp": bytes(200_000) for number in range(40)})
    other = tar_bytes({f"{number}.webp": bytes(131_072) for number in range(60)})
    plain = walk(ObjectStore(str(tmp_path)), data, pool)
    stale = plan_ranges(data_of(walk(ObjectStore(str(tmp_path)), other, pool)), len(data), CONFIG)
    counting = CountingStore(str(tmp_path))
    assert walk(counting, data, pool, stale) == plain
    assert len(counting.ranges) <= 42 + CONFIG.requests + 2


@given(st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 200_000)), max_size=20), st.data())
@settings(max_examples=60)
def test_any_plan_gives_the_same_bytes(tmp_path_factory, plan, data):
    """Whatever a plan says, reads that go forward give the object's bytes."""
    store = ObjectStore(str(tmp_path_factory.getbasetemp() / "any"))
    store.put("x", DATA)
    places = sorted(data.draw(st.lists(st.integers(0, len(DATA) + 999), max_size=12)))
    ranges = plan_ranges([(512 * start, length) for start, length in plan], len(DATA), CONFIG)
    with ThreadPoolExecutor(2) as pool:
        reader = HeaderRanges(store, "x", len(DATA), CONFIG, ranges, pool)
        for place in places:
            length = data.draw(st.sampled_from([1, 512, 9000]))
            assert reader.read(place, length) == DATA[place : place + length]


def test_an_object_that_is_gone_or_shorter_says_so(store, pool):
    store.put("x", bytes(1000))
    with pytest.raises(EOFError):
        HeaderRanges(store, "x", 5000, CONFIG, [], pool).read(0, 512)
    with pytest.raises(FileNotFoundError):
        HeaderRanges(store, "y", 5000, CONFIG, [], pool).read(0, 512)


def test_a_store_that_refuses_is_no_end_of_a_tar(s3_url, monkeypatch, pool):
    ObjectStore(s3_url).put("x", bytes(5000))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(ConnectionError, match=f"{s3_url}/x: cannot be read: "):
        HeaderRanges(ObjectStore(s3_url), "x", 5000, CONFIG, [], pool).read(0, 512)
