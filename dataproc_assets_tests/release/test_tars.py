import hashlib
import tarfile
from itertools import pairwise

import numpy as np
import pytest
import webdataset
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.release.tars import (
    Sample,
    sample_name,
    shard_bounds,
    shard_name,
    write_tar,
)

SAMPLES = [
    Sample("aa", [("jpg", b"\xff\xd8"), ("json", b"{}"), ("txt", "ロリ".encode())]),
    Sample("bb", [("jpg", b"x" * 513), ("json", b'{"a": 1}'), ("txt", b"")]),
]


def test_webdataset_reads_it_back(tmp_path):
    path = tmp_path / "train-00000.tar"
    written = write_tar(path, SAMPLES)
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["aa", "bb"]
    assert [sample["jpg"] for sample in samples] == [b"\xff\xd8", b"x" * 513]
    assert samples[0]["txt"].decode() == "ロリ"
    assert written.rows == 2
    assert written.size == path.stat().st_size
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_members_carry_no_time_and_no_owner(tmp_path):
    write_tar(tmp_path / "a.tar", SAMPLES)
    with tarfile.open(tmp_path / "a.tar") as archive:
        members = archive.getmembers()
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_as_tarfile_writes_it(tmp_path):
    write_tar(tmp_path / "ours.tar", SAMPLES)
    with tarfile.open(tmp_path / "theirs.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        for sample in SAMPLES:
            for extension, data in sample.parts:
                path = tmp_path / "member"
                path.write_bytes(data)
                info = tarfile.TarInfo(f"{sample.name}.{extension}")
                info.size = len(data)
                with path.open("rb") as file:
                    archive.addfile(info, file)
    assert (tmp_path / "ours.tar").read_bytes() == (tmp_path / "theirs.tar").read_bytes()


@pytest.mark.parametrize("name", ["a.b", "pixiv/1_p0", "", "ä"])
def test_a_name_that_would_break_a_reader_is_refused(name):
    with pytest.raises(ValueError, match="cannot name a sample"):
        sample_name(name)


@given(
    sizes=st.lists(st.integers(0, 50), max_size=40),
    bytes_max=st.integers(1, 100),
    images_max=st.none() | st.integers(1, 5),
)
def test_bounds_cover_all_rows_and_keep_the_limits(sizes, bytes_max, images_max):
    bounds = shard_bounds(np.array(sizes, dtype=np.int64), bytes_max, images_max)
    assert bounds[0] == 0 and bounds[-1] == len(sizes)
    for start, end in pairwise(bounds):
        assert end > start
        assert end - start == 1 or sum(sizes[start:end]) <= bytes_max
        assert images_max is None or end - start <= images_max
        full = end == len(sizes) or sum(sizes[start : end + 1]) > bytes_max
        assert full or end - start == images_max


def test_shard_names_are_numbered_from_zero():
    assert shard_name("webdataset/train", 12) == "webdataset/train-00012.tar"
