import gzip
import io
import random
import subprocess
import tarfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataproc_assets.storage.tar_index import OVERWRITTEN, TarIndex, tar_index
from dataproc_assets_tests.storage.shards import tar_bytes, tar_with_links

FILES = {f"images/{number}.webp": bytes([number]) * (number * 397) for number in range(12)}
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
ODD_NAMES = [
    *("日本語/ü.webp", "a b.webp", 'it\'s "1".webp', "../up.webp", "/abs.webp", "new\nline.webp"),
    *("x" * 100 + ".webp", "d/" * 120 + "long.webp", "é" * 60, "1.", ".hidden", "back\\slash.webp"),
]


def index(data: bytes, most_bytes: int = 1 << 20) -> TarIndex:
    return tar_index(lambda offset, length: data[offset : offset + length], len(data), most_bytes)


def read(data: bytes, found: TarIndex) -> dict[str, bytes]:
    return {m.name: data[m.offset : m.offset + m.size] for m in found.members}


def with_member(**fields) -> bytes:
    """A tar with one odd member between two plain ones."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, changes in (("1.webp", {}), ("odd.webp", fields), ("2.webp", {})):
            info = tarfile.TarInfo(name)
            info.size = 4
            for key, value in changes.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(b"data"))
    return buffer.getvalue()


def header(name: bytes = b"1.webp", **fields: bytes) -> bytearray:
    """A header with its checksum; fields are put in at their places."""
    block = bytearray(tarfile.TarInfo(name.decode("latin-1")).tobuf(tarfile.USTAR_FORMAT)[:512])
    places = {"size": 124, "mtime": 136, "kind": 156, "magic": 257, "prefix": 345}
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


@pytest.mark.parametrize("kind", FORMATS)
def test_members_read_back_by_address(kind):
    data = tar_bytes(FILES, kind=FORMATS[kind])
    found = index(data)
    assert (read(data, found), found.reason, found.skipped) == (FILES, None, [])
    assert [(member.name, member.mtime) for member in found.members] == [(n, 7) for n in FILES]


@pytest.mark.parametrize("kind", ["pax", "gnu"])
def test_odd_names_come_back(kind):
    files = {name: name.encode() for name in [*ODD_NAMES, "after.webp"]}
    data = tar_bytes(files, kind=FORMATS[kind])
    found = index(data)
    assert (read(data, found), found.reason) == (files, None)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_name_that_is_no_utf8_is_one_that_can_be_written(kind):
    name = b"\x93\xfa\x96{.webp"
    data = tar_bytes({name.decode("utf-8", "surrogateescape"): b"1"}, kind=FORMATS[kind])
    [member] = index(data).members
    assert member.name == r"\x93\xfa\x96{.webp"
    assert member.name.encode()


@given(
    st.dictionaries(
        st.sampled_from(ODD_NAMES) | st.text(st.characters(codec="utf-8"), min_size=1),
        st.tuples(st.integers(0, 1500), st.floats(-1e9, 1e12) | st.integers(0, 2**33)),
        max_size=5,
    ),
    st.sampled_from(["pax", "gnu"]),
)
@example({"/": (0, 0.0)}, "pax")  # its PAX header has a time and no path
@settings(max_examples=60)
def test_it_finds_what_the_standard_library_finds(members, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=FORMATS[kind], encoding="utf-8") as tar:
        for name, (size, mtime) in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = size, mtime  # type: ignore[assignment]
            tar.addfile(info, io.BytesIO(bytes(size)))
    with tarfile.open(fileobj=io.BytesIO(buffer.getvalue()), encoding="utf-8") as tar:
        there = [(m.name, m.offset_data, m.size, int(m.mtime)) for m in tar if m.isreg()]
    found = index(buffer.getvalue())
    last = {name: rest for name, *rest in there}
    assert {m.name: [m.offset, m.size, m.mtime] for m in found.members} == last
    assert found.reason is None


def test_a_time_with_fractions_counts_in_whole_seconds():
    data = with_member(mtime=1_700_000_000.75)
    assert b"mtime=1700000000.75" in data
    assert [member.mtime for member in index(data).members] == [0, 1_700_000_000, 0]


@pytest.mark.parametrize("mtime", ["nan", "1e999", "soon"])
def test_a_pax_time_that_is_none_is_zero(mtime):
    found = index(with_member(mtime=7, pax_headers={"mtime": mtime}))
    assert [member.mtime for member in found.members] == [0, 0, 0]
    assert found.reason is None


def test_a_member_of_no_bytes_is_a_member():
    data = tar_bytes({"0.webp": b"", "1.webp": b"1"})
    assert read(data, index(data)) == {"0.webp": b"", "1.webp": b"1"}


def test_links_and_devices_have_a_reason_and_folders_none():
    data = tar_with_links()
    found = index(data)
    assert (read(data, found), found.reason) == ({"real.jpg": b"real"}, None)
    assert found.skipped == [
        ("1.jpg", "a symbolic link holds no bytes"),
        ("2.jpg", "a hard link: its bytes are another member's"),
        ("3.jpg", "a pipe holds no bytes"),
        ("4.jpg", "a device holds no bytes"),
    ]


@pytest.mark.parametrize("kind", ["gnu", "pax", "oldgnu"])
def test_a_sparse_member_is_left_out_with_its_reason(tmp_path, kind):
    with (tmp_path / "sparse.webp").open("wb") as file:
        for number in range(40):  # so many that old maps need more blocks
            file.seek(number << 17)
            file.write(b"x")
    (tmp_path / "zz.webp").write_bytes(b"plain")
    command = ["tar", "-c", f"--format={kind}", "--sparse", "sparse.webp", "zz.webp"]
    data = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout
    found = index(data)
    assert (read(data, found), found.reason) == ({"zz.webp": b"plain"}, None)
    assert [name for name, _ in found.skipped] == ["sparse.webp"]
    assert "sparse" in found.skipped[0][1]


def test_a_label_and_times_of_gnu_are_no_part_of_a_name(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d/1.webp").write_bytes(b"1")
    command = ["tar", "-c", "--format=gnu", "--incremental", "--label=backup", "d"]
    data = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout
    found = index(data)
    assert (read(data, found), found.skipped, found.reason) == ({"d/1.webp": b"1"}, [], None)


def test_a_member_of_an_unknown_type_is_left_out_with_its_data():
    found = index(with_member(type=b"Z"))
    assert [member.name for member in found.members] == ["1.webp", "2.webp"]
    assert found.skipped == [("odd.webp", "a member of the unknown type 'Z'")]


def test_of_members_with_one_name_the_last_counts():
    data = tar_bytes({"1.webp": b"old", "2.webp": b"two"})[:2048]
    data += tar_bytes({"1.webp": b"newer"})
    found = index(data)
    assert read(data, found) == {"2.webp": b"two", "1.webp": b"newer"}
    assert found.skipped == [("1.webp", OVERWRITTEN)]


def test_a_size_over_eight_gibibytes_is_read_from_either_kind_of_number():
    size = (9 << 30) + 1
    pax = b"19 size=%d\n" % size
    for number, before in ((b"\x80" + size.to_bytes(11, "big"), b""), (b"%011o\0" % 0, pax)):
        start = bytearray()
        if before:
            start += header(kind=b"x", size=b"%011o\0" % len(before)) + before.ljust(512, b"\0")
        start += header(size=number)
        behind = len(start) + -(-size // 512) * 512
        end = header(b"2.webp", size=b"%011o\0" % 0) + bytes(1024)

        def read(offset, length, start=start, behind=behind, end=end):
            data = end[offset - behind :] if offset >= behind else start[offset:]
            return bytes(data[:length])

        found = tar_index(read, behind + len(end), 1 << 20)
        assert [(m.name, m.size) for m in found.members] == [("1.webp", size), ("2.webp", 0)]
        assert found.reason is None


def test_a_tar_without_members_is_no_fault():
    assert index(tar_bytes({})) == TarIndex()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"none", "truncated header"),
        (b"no tar at all" * 100, "the header at its start is broken: its checksum is wrong"),
        (b"junk" * 128 + tar_bytes(FILES), "the header at its start is broken"),
        (gzip.compress(tar_bytes(FILES), mtime=0), "is compressed with gzip"),
        (b"\xfd7zXZ\0" + bytes(600), "is compressed with xz"),
        (b"BZh9" + bytes(600), "is compressed with bzip2"),
        (b"\x28\xb5\x2f\xfd", "is compressed with zstd"),
    ],
)
def test_what_is_no_tar_says_why(data, reason):
    found = index(data)
    assert found.members == []
    assert found.reason is not None
    assert found.reason.startswith(f"not a readable tar: {reason}")


def test_a_compressed_tar_says_what_to_do():
    reason = index(gzip.compress(tar_bytes(FILES))).reason
    assert reason is not None
    assert reason.endswith("so no member can be read alone; `gunzip` it and upload the .tar")


def test_a_broken_header_in_the_middle_is_no_silent_end():
    data = bytearray(tar_bytes(FILES))
    place = bytes(data).index(b"images/5.webp")
    data[place + 150] ^= 1
    found = index(bytes(data))
    assert list(read(data, found)) == list(FILES)[:5]
    assert found.reason == (
        f"ends without an end mark at byte {place} of {len(data)}: "
        "the header there is broken: its checksum is wrong"
    )


@pytest.mark.parametrize(
    ("behind", "reason"),
    [
        (b"junk", "bytes after the end mark at byte 1024 are not zeros: junk, or a second tar"),
        (tar_bytes({"2.webp": b"2"}), "are not zeros: junk, or a second tar, which was not read"),
        (bytes(20_000), None),
        (bytes(3 << 20), "bytes after the end mark at byte 1024 were not read"),
    ],
)
def test_what_lies_behind_the_end_mark_is_told(behind, reason):
    data = tar_bytes({"1.webp": b"1"}) + behind
    found = index(data)
    assert read(data, found) == {"1.webp": b"1"}
    assert reason in (found.reason or "") if reason else found.reason is None


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (header(size=b"\xff" * 12), "a size in it is negative"),
        (header(size=b"00000009999\0"), "a number in it is none"),
        (header(size=b"-0000000512\0"), "a size in it is negative"),
        (header(kind=b"x", size=b"77777777777\0"), "it announces 8589934591 bytes"),
        (header(kind=b"L", size=b"77777777777\0"), "it announces 8589934591 bytes"),
    ],
)
def test_a_header_that_lies_ends_the_walk_with_its_reason(block, reason):
    found = index(tar_bytes({"0.webp": b"0"})[:1024] + bytes(block) + bytes(2048))
    assert [member.name for member in found.members] == ["0.webp"]
    assert found.reason is not None
    assert f"the header there is broken: {reason}" in found.reason


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (b"path=1.webp\n", "a PAX record has no length"),
        (b"99 path=1.webp\n", "a PAX record is no 'key=value'"),
        (b"0 path=1.webp\n", "a PAX record is no 'key=value'"),
        (b"15 path 1.webp\n", "a PAX record is no 'key=value'"),
        (b"11 size=-1\n", "its PAX size is no number"),
        (b"4108 size=" + b"9" * 4097 + b"\n", "its PAX size is no number"),
    ],
)
def test_broken_pax_records_end_the_walk_with_their_reason(records, reason):
    padding = bytes(-len(records) % 512)
    pax = bytes(header(kind=b"x", size=b"%011o\0" % len(records))) + records + padding
    found = index(pax + bytes(header()) + bytes(1024))
    assert found.members == []
    assert reason in (found.reason or "")


def test_a_global_pax_header_is_of_all_that_follow():
    pax = bytes(header(kind=b"g", size=b"%011o\0" % 12)) + b"12 mtime=99\n".ljust(512, b"\0")
    found = index(pax + tar_bytes({"1.webp": b"1", "2.webp": b"2"}))
    assert [member.mtime for member in found.members] == [99, 99]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("shift", [0, 1, 511])
def test_cut_anywhere_it_gives_what_is_whole_and_a_reason(kind, shift):
    """At each block's border, right behind it and right before it."""
    name = "é" * 80 + ".webp" if kind != "ustar" else "plain.webp"
    files = {"1.webp": b"1" * 700, name: b"2" * 512, "empty.webp": b"", "3.webp": b"3" * 5}
    data = tar_bytes(files, kind=FORMATS[kind])
    whole = index(data).members
    end = whole[-1].offset + 512
    for cut in range(shift, len(data), 512):
        found = index(data[:cut])
        assert found.members == [m for m in whole if m.offset + m.size <= cut], cut
        assert (found.reason is None) == (cut >= end + 512), cut


def test_a_cut_tar_names_the_member():
    data = tar_bytes(FILES)
    found = index(data[: data.index(bytes([9]) * 100) + 100])
    assert list(read(data, found)) == list(FILES)[:9]
    assert found.reason == "truncated in member 'images/9.webp'"


def test_a_writer_that_was_killed_leaves_its_whole_members():
    data = tar_bytes(FILES)
    found = index(data)
    end = found.members[-1].offset + -(-found.members[-1].size // 512) * 512
    killed = index(data[:end])
    assert killed.members == found.members
    assert killed.reason == f"ends without an end mark at byte {end} of {end}"


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=100)
def test_no_bytes_whatever_break_the_walk(seed, changes):
    """Flipped anywhere, a tar gives members within its bounds, and an end."""
    chance = random.Random(seed)
    data = bytearray(tar_bytes({**FILES, "ü" * 90: b"long"}))
    for _ in range(changes):
        data[chance.randrange(len(data))] = chance.randrange(256)
    found = index(bytes(data))
    assert all(0 < m.offset <= m.offset + m.size <= len(data) for m in found.members)


def test_a_checksum_of_signed_bytes_is_right_too():
    block = header()
    block[:7] = "ü.webp".encode()
    signed = sum(b - 256 * (b > 127) for b in block[:148] + block[156:]) + 256
    block[148:156] = b"%06o\0 " % signed
    assert [m.name for m in index(bytes(block) + bytes(1024)).members] == ["ü.webp"]
