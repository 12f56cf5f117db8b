"""The image shards of a release, several at a time; each has one writer, that copies by address."""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import polars as pl

from dataproc_assets.config.releases import ReleaseConfig
from dataproc_assets.release.build import Build
from dataproc_assets.release.samples import Read, read_images, to_sample
from dataproc_assets.release.tars import Written, write_tar

Say = Callable[[str], None]
EVERY_SECONDS = 5.0  # between two lines of progress


def write_shards(
    build: Build,
    config: ReleaseConfig,
    rows: pl.DataFrame,
    read: Read,
    *,
    writers: int | None = None,
    readers: int | None = None,
    say: Say = lambda line: None,
) -> None:
    """Write every shard that `rows` name. Which image is in which shard is the rows' affair.

    Args:
        rows: what `located` returned, with a `shard` in each.
        read: gives an address's bytes.
        writers: shards written at a time, by default one a processor.
        readers: images that each of them reads ahead, by default one of files, which come at
            once, and eight of objects.
        say: takes a line of progress, now and then.

    Raises the error of the first shard that cannot be written; those not begun then stay away.
    """
    parts = {str(path): part for (path,), part in rows.group_by("shard", maintain_order=True)}
    count = writers or os.cpu_count() or 1
    ahead = readers or (8 if rows["uri"].str.starts_with("s3://").any() else 1)

    def one(path: str) -> None:
        part = parts[path]

        def make(local: Path) -> Written:
            images = read_images(read, part.iter_rows(named=True), ahead)
            pairs = zip(part.iter_rows(named=True), images, strict=True)
            return write_tar(local, (to_sample(row, image, config.recipes) for row, image in pairs))

        build.write_file(path, make)

    start = said = time.monotonic()
    images = 0
    with ThreadPoolExecutor(count, thread_name_prefix="shard") as pool:
        waiting = {pool.submit(one, path): path for path in parts}
        try:
            for done, future in enumerate(as_completed(waiting), start=1):
                future.result()
                images += parts[waiting[future]].height
                now = time.monotonic()
                if now - said >= EVERY_SECONDS or done == len(parts):
                    rate = images / max(now - start, 1e-9)
                    say(f"{done} of {len(parts)} shards, {images} images, {rate:.0f} images/s")
                    said = now
        finally:
            for future in waiting:
                future.cancel()
