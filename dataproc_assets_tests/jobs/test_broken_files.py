"""A crawl as it comes: a thousand files, of which one in twenty is broken in some way."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dataproc_assets.runners import Progress, make_runner
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.passes import Row, parts, pass_job, read_part, workers
from dataproc_assets_tests.jobs.pictures import encode, gradient

IMAGES, EACH = 1000, 20
SIDE = 900  # 2.4 MB decoded, 2.4 GB for all


def _png(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    ends = chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + ends


def _broken() -> dict[str, tuple[bytes | None, str]]:
    """A file's bytes, None where there is no file, and what is said of it."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = {name: encode(Image.fromarray(noise), name) for name in ("JPEG", "PNG", "WEBP", "GIF")}
    cut = {f"cut.{name}": (data[: len(data) * 3 // 4], "truncated") for name, data in whole.items()}
    flipped = bytearray(whole["PNG"])
    flipped[len(flipped) // 2] ^= 0xFF
    return {
        **cut,
        "empty": (b"", "empty"),
        "missing": (None, "missing"),
        "page.html": (b"<html><body>429 Too Many Requests</body></html>", "not_an_image"),
        "json": (b'{"error": "gone"}', "not_an_image"),
        "zip": (b"PK\x03\x04" + bytes(200), "not_an_image"),
        "zeros": (bytes(5000), "not_an_image"),
        "header": (b"RIFF\x04\0\0\0WEBP", "broken"),
        "bomb": (_png(60_000, 60_000, b""), "too_many_pixels"),
        "deflate": (_png(64, 64, b"no deflate stream"), "broken"),
        "flipped": (bytes(flipped), "broken"),
        "large": (b"\xff\xd8\xff" + bytes(1_000_001), "too_many_bytes"),
    }


@pytest.mark.slow
def test_a_thousand_files_with_broken_ones_end_well_each_with_its_reason(tmp_path: Path) -> None:
    broken, good = _broken(), encode(gradient(SIDE, SIDE), "PNG")
    names = sorted(broken)
    rows: list[Row] = []
    expected: dict[str, str | None] = {}
    for index in range(IMAGES):
        name = names[index // EACH % len(names)] if index % EACH == 0 else None
        data, reason = broken[name] if name else (good, None)
        path = tmp_path / f"{index}.png"
        if data is not None:
            path.write_bytes(data)
        key = f"pixiv/{index}_p0"
        expected[key] = reason
        rows.append((key, "v", str(path), None, None, ["pixels"]))
    units = {f"u{start:04d}": rows[start : start + 128] for start in range(0, IMAGES, 128)}
    job = pass_job(tmp_path / "store", units, ("pixels",))
    most = 0

    def watch(_: Progress) -> None:
        nonlocal most
        for pid in workers(os.getpid(), job.module):
            status = Path(f"/proc/{pid}/status").read_text()
            most = max(most, int(status.partition("VmHWM:")[2].split()[0]))

    result = make_runner(runner_config()).run(job, watch)

    assert (result.progress.done, result.progress.parts) == (IMAGES, len(units))
    assert len(parts(tmp_path / "store")) == len(units)
    found = pl.concat(read_part(tmp_path / "store", "pixels", unit) for unit in units)
    kinds = pl.col("error").str.split(":").list.first()
    said = dict(found.select("image_key", kinds).iter_rows())
    assert said == expected
    reasons = {reason for reason in expected.values() if reason}
    assert set(result.progress.errors) == reasons
    assert 0 < most < 1_200_000, "the decoded images were kept"  # KiB
