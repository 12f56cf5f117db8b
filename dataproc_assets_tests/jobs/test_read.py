from pathlib import Path

import pytest

from dataproc_assets.config.runners import ReadConfig
from dataproc_assets.jobs.read import ReadError, read_image

TWICE = ReadConfig(tries=2, backoff_seconds=0.0, stop_after=1)


def test_a_file_and_a_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "shard.tar"
    path.write_bytes(b"0123456789")

    assert read_image(str(path), None, None, TWICE) == b"0123456789"
    assert read_image(str(path), 3, 4, TWICE) == b"3456"


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
        read_image(str(tmp_path / name), offset, length, TWICE)

    assert str(failure.value).partition(":")[0] == reason
