import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tar_index import RangeReader, tar_members
from dataproc_assets_tests.storage.shards import tar_bytes, tar_with_links

FILES = {f"images/{number}.webp": bytes([number]) * (number * 397) for number in range(12)}
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}


class CountingStore(ObjectStore):
    """A store that counts the ranges asked of it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.requests = 0
        self.bytes = 0

    def get_range(self, path: str, offset: int, length: int) -> bytes:
        self.requests += 1
        self.bytes += length
        return super().get_range(path, offset, length)


def index(store, data):
    store.put("x.tar", data)
    return tar_members(store, "x.tar")


def read(store, members):
    uri = store.uri("x.tar")
    return {member.name: read_address(uri, member.offset, member.size) for member in members}


@pytest.mark.parametrize("kind", FORMATS)
def test_members_read_back_by_address(store, kind):
    members, reason = index(store, tar_bytes(FILES, kind=FORMATS[kind]))
    assert reason is None
    assert read(store, members) == FILES
    assert [(member.name, member.mtime) for member in members] == [(name, 7) for name in FILES]


@pytest.mark.parametrize("kind", ["pax", "gnu"])
def test_long_and_foreign_names_come_back(store, kind):
    files = {"d/" * 120 + "long.webp": b"long", "日本語/ü.webp": b"foreign", "after.webp": b"after"}
    members, reason = index(store, tar_bytes(files, kind=FORMATS[kind]))
    assert (read(store, members), reason) == (files, None)


def test_links_devices_and_folders_are_passed_over(store):
    members, reason = index(store, tar_with_links())
    assert (read(store, members), reason) == ({"real.jpg": b"real"}, None)


def test_a_tar_without_members_is_no_fault(store):
    assert index(store, tar_bytes({})) == ([], None)


@pytest.mark.parametrize("data", [b"", b"no tar at all" * 100, b"\x1f\x8b" + bytes(range(256)) * 8])
def test_what_is_no_tar_says_so(store, data):
    members, reason = index(store, data)
    assert members == []
    assert reason is not None
    assert reason.startswith("not a readable tar: ")


@settings(max_examples=60)
@given(cut=st.integers(0, 40_000))
def test_a_cut_tar_gives_what_is_whole_and_a_reason(tmp_path_factory, cut):
    store = ObjectStore(str(tmp_path_factory.mktemp("cut")))
    data = tar_bytes(FILES)
    whole, _ = index(store, data)
    end = whole[-1].offset + -(-whole[-1].size // 512) * 512
    members, reason = index(store, data[: min(cut, len(data))])
    assert members == [m for m in whole if m.offset + m.size <= cut][: len(members)]
    assert read(store, members).items() <= FILES.items()
    if cut < end + 512:
        assert reason is not None
    else:
        assert (members, reason) == (whole, None)


def test_a_cut_tar_names_the_member(store):
    data = tar_bytes(FILES)
    members, reason = index(store, data[: data.index(bytes([9]) * 100) + 100])
    assert list(read(store, members)) == list(FILES)[:9]
    assert reason == "truncated in member 'images/9.webp'"


def test_a_broken_header_in_the_middle_is_no_silent_end(store):
    data = bytearray(tar_bytes(FILES))
    header = bytes(data).index(b"images/5.webp")
    data[header + 150] ^= 1
    members, reason = index(store, bytes(data))
    assert list(read(store, members)) == list(FILES)[:5]
    assert reason is not None
    assert reason.startswith(f"ends without an end mark at byte {header}")


def test_small_members_take_few_requests_and_large_ones_are_not_fetched(tmp_path):
    store = CountingStore(str(tmp_path))
    index(store, tar_bytes({f"{number}.webp": b"x" * 2000 for number in range(1000)}))
    assert store.requests <= 60  # 2.5 MB in blocks of 64 KiB

    store = CountingStore(str(tmp_path))
    index(store, tar_bytes({f"{number}.webp": bytes(1_000_000) for number in range(10)}))
    assert store.requests <= 22
    assert store.bytes < 2_000_000


@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 200_000)), max_size=8))
@settings(max_examples=30)
def test_an_object_reads_as_a_file(tmp_path_factory, reads):
    store = ObjectStore(str(tmp_path_factory.mktemp("reader")))
    data = bytes(range(251)) * 1000
    store.put("x", data)
    reader = RangeReader(store, "x")
    for offset, length in reads:
        reader.seek(offset)
        assert reader.read(length) == data[offset : offset + length]
        assert reader.tell() == max(offset, min(offset + length, len(data)))
    assert reader.seek(-5, 2) == len(data) - 5
    assert reader.read() == data[-5:]
