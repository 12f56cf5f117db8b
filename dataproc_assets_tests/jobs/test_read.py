from pathlib import Path

import pytest

from dataproc_assets.config.workers import ReadConfig
from dataproc_assets.jobs.decode import DecodeError
from dataproc_assets.jobs.read import OutageWatch, ReadError, StorageOutageError, read_image

TWICE = ReadConfig(tries=2, backoff_seconds=0.0, stop_after=1)


def test_a_file_and_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "shard.tar"
    path.write_bytes(b"0123456789")

    assert read_image(str(path), None, None, 10, TWICE) == b"0123456789"
    assert read_image(str(path), 3, 4, 4, TWICE) == b"3456"


@pytest.mark.parametrize(("offset", "length", "size"), [(None, None, 2**42), (0, 2**41, 2**41)])
def test_what_is_too_large_is_refused_unread(
    tmp_path: Path, offset: int | None, length: int | None, size: int
) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(2**42)  # 4 TiB, which no disk block holds and no memory could

    with pytest.raises(DecodeError, match=f"too_many_bytes: {size}"):
        read_image(str(path), offset, length, 1000, TWICE)


@pytest.mark.parametrize(
    ("name", "offset", "length", "reason"),
    [
        ("gone", None, None, "missing"),
        ("shard.tar", 8, 4, "short"),
        ("shard.tar/member", None, None, "unreachable"),
    ],
)
def test_why_the_bytes_cannot_be_had(
    tmp_path: Path, name: str, offset: int | None, length: int | None, reason: str
) -> None:
    (tmp_path / "shard.tar").write_bytes(b"0123456789")

    with pytest.raises(ReadError) as failure:
        read_image(str(tmp_path / name), offset, length, 100, TWICE)

    assert str(failure.value).partition(":")[0] == reason


def test_only_images_lost_in_a_row_are_an_outage() -> None:
    watch = OutageWatch(ReadConfig(tries=1, backoff_seconds=0.0, stop_after=3))
    for status in ["retry", "retry", "ok", "retry", "retry", "failed", "retry", "retry"]:
        watch.see(status, "crawl/1.png", "missing")

    with pytest.raises(StorageOutageError, match=r"3 images in a row.*crawl/2\.png \(missing\)"):
        watch.see("retry", "crawl/2.png", "missing")
