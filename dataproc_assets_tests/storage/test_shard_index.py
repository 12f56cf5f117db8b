import json
import tarfile

import pytest

from dataproc_assets.storage.shard_index import (
    BrokenIndexError,
    IndexEntry,
    ShardIndex,
    count_samples,
    index_paths,
    misfit,
    parse_index,
    parse_wids,
)
from dataproc_assets.storage.tar_index import TarMember
from dataproc_assets_tests.storage.shards import dali_index, hfutils_index, tar_bytes, wids_list

FILES = {"1.webp": b"one", "1.json": b"{}", "d/2.webp": b"", "日本.webp": b"three"}
TAR = tar_bytes(FILES, kind=tarfile.GNU_FORMAT)
MEMBERS = [
    *(TarMember("1.webp", 512, 3, 7), TarMember("1.json", 1536, 2, 7)),
    *(TarMember("d/2.webp", 2560, 0, 7), TarMember("日本.webp", 3072, 5, 7)),
]


def test_an_index_lies_beside_its_shard():
    assert index_paths("a/0.b/000.tar") == [
        *("a/0.b/000.idx", "a/0.b/000.tar.idx", "a/0.b/000.json", "a/0.b/000.tar.json"),
    ]
    assert index_paths("a.b/plain")[:2] == ["a.b/plain.idx", "a.b/plain.idx"]


@pytest.mark.parametrize("version", ["v1.1", "v1.2"])
def test_dalis_index_says_where_members_are(version):
    index = parse_index("0.idx", dali_index(TAR, version), "0.tar")
    named = version == "v1.2"
    assert index.entries == [
        IndexEntry(m.offset, m.size, m.name if named else None, m.name.split(".")[1])
        for m in MEMBERS
    ]
    assert misfit(index, MEMBERS, len(TAR)) is None


def test_the_json_of_hfutils_says_where_members_are():
    index = parse_index("0.json", hfutils_index(TAR), "0.tar")
    assert index.entries is not None
    assert [entry.name for entry in index.entries] == list(FILES)
    assert misfit(index, MEMBERS, len(TAR)) is None
    assert misfit(index, MEMBERS, 1) == f"it says {len(TAR)} bytes, and the shard has 1"


def test_names_that_gnu_tar_writes_as_octals_are_the_same():
    data = b"v1.2 1\nwebp 3072 5 \\346\\227\\245\\346\\234\\254.webp\n"
    assert misfit(parse_index("0.idx", data, "0.tar"), MEMBERS[3:], None) is None
    data = b"v1.2 1\nwebp 512 1 a\\\\b\\t.webp\n"
    assert misfit(parse_index("0.idx", data, ""), [TarMember("a\\b\t.webp", 512, 1, 0)], 0) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("webp 512 4 1.webp", "it says '1.webp', 4 bytes at 512, where the shard has '1.webp', 3"),
        ("webp 512 3 9.webp", "it says '9.webp', 3 bytes at 512, where the shard has '1.webp', 3"),
        ("webp 1024 3 1.webp", "it says '1.webp', 3 bytes at 1024, where the shard has no member"),
        ("webp 512 3 1.webp", "it lacks 3 members, the first of them '1.json'"),
    ],
)
def test_an_index_that_does_not_fit_says_where(line, why):
    index = parse_index("0.idx", f"v1.2 1\n{line}\n".encode(), "0.tar")
    found = misfit(index, MEMBERS, len(TAR))
    assert found is not None
    assert found.startswith(why)


def test_hidden_files_are_missing_in_no_index():
    hidden = [TarMember("d/.keep", 9000, 1, 0), TarMember("._1.webp", 9900, 1, 0)]
    index = parse_index("0.idx", dali_index(TAR), "0.tar")
    assert misfit(index, MEMBERS + hidden, len(TAR)) is None


def test_an_extension_alone_can_be_wrong_too():
    index = ShardIndex([IndexEntry(512, 3, None, "png")])
    assert (misfit(index, MEMBERS[:1], 0) or "").startswith("it says 'png', 3 bytes at 512")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "its first line is not 'v1.1 SAMPLES' or 'v1.2 SAMPLES'"),
        (b"v1.0 1\nwebp 512 3\n", "its first line is not"),
        (b"v1.2 many\n", "its first line is not"),
        (b"\xff\xfe\n", "its first line is not"),
        (b"v1.2 2\nwebp 512 3 1.webp\n", "it has 1 of 2 samples"),
        (b"v1.2 1\nwebp 512 3 a 1.webp\n", "line 2 is cut, or has a name with blanks"),
        (b"v1.2 1\nwebp 512 3\n", "line 2 is cut, or has a name with blanks"),
        (b"v1.2 1\nwebp three 512 1.webp\n", "line 2 is cut, or has a name with blanks"),
        (b"v1.2 1\nwebp 3 512 1.webp\n", "it has an offset that is no multiple of 512"),
        (b"v1.1 1\nwebp -512 3\n", "it has an offset that is no multiple of 512"),
    ],
)
def test_a_broken_idx_is_refused_with_its_reason(data, why):
    with pytest.raises(BrokenIndexError, match=f"^{why}"):
        parse_index("0.idx", data, "0.tar")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "it is no JSON"),
        (b"[" * 100_000, "it is no JSON"),
        (b"[1]", "it is neither an index of hfutils nor a wids list"),
        (b'{"id": 1}', "it is neither an index of hfutils nor a wids list"),
        (b'{"files": ["1.webp"]}', "it is neither an index of hfutils nor a wids list"),
        (b'{"files": {"1.webp": {"size": 1}}}', "it is neither an index of hfutils"),
        (b'{"files": {"1.webp": {"size": 1, "offset": null}}}', "it is neither an index"),
        (b'{"shardlist": [1]}', "it is no shard list of wids"),
        (b'{"shardlist": [{"url": "0.tar"}]}', "a shard in its list has no url or no nsamples"),
        (wids_list({"9.tar": (1, 1)}), "its shard list lacks 0.tar"),
    ],
)
def test_a_broken_json_is_refused_with_its_reason(data, why):
    with pytest.raises(BrokenIndexError, match=f"^{why}"):
        parse_index("0.json", data, "0.tar")


def test_a_wids_list_counts_samples_and_knows_no_offsets():
    data = wids_list(
        {"sub/0.tar": (3, 99), "https://host/x/1%20b.tar?v=2": (4, 98), "2.tar": (1, 1)}
    )
    found = parse_wids("a/list.json", data, ["a/sub/0.tar", "a/1 b.tar", "a/9.tar"])
    assert found == {
        "a/sub/0.tar": ShardIndex(samples=3, size=99),
        "a/1 b.tar": ShardIndex(samples=4, size=98),
    }
    assert misfit(found["a/sub/0.tar"], MEMBERS, None) is None
    why = "it says 4 samples, and the shard has 3"
    assert misfit(found["a/1 b.tar"], MEMBERS, None) == why
    assert misfit(found["a/1 b.tar"], MEMBERS, 99) == "it says 98 bytes, and the shard has 99"


def test_a_wids_list_for_one_shard_lies_beside_it():
    data = json.dumps({"shardlist": [{"url": "/elsewhere/0.tar", "nsamples": 3}]}).encode()
    assert parse_index("a/0.json", data, "a/0.tar") == ShardIndex(samples=3)


def test_samples_are_members_in_a_row_with_one_stem():
    names = ["1.webp", "1.json", "d/1.webp", "d/1.seg.png", "README", "1.txt", "a.b/2"]
    assert count_samples(names) == 3
