"""Writing image shards: ours, webdataset's ShardWriter (also with our checks), and `cp`.

`python benchmarks/release_tars.py [--images N] [--kilobytes K] [--rounds R] [--folder DIR]`
writes N files of drawn bytes, then lets each write them in turn, each in a process of its
own, and prints seconds and peak memory. Ours reads by address, checks every image's SHA-256 and
hashes the shard; so does `checked`, the others only copy.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the tests' configuration of a release

SHARD_BYTES = 64_000_000


def make_files(folder: Path, images: int, kilobytes: int) -> list[Path]:
    """Files of different bytes, as incompressible as images are."""
    folder.mkdir()
    paths = []
    for number in range(images):
        seed = hashlib.shake_256(str(number).encode())
        paths.append(folder / f"{number:06d}.jpg")
        paths[-1].write_bytes(seed.digest(kilobytes * 1024))
    return paths


def rows_of(files: Path) -> list[dict]:
    """The rows that a release would write, the image's hash known from its metrics."""
    return json.loads((files.parent / "rows.json").read_text())


def ours(files: Path, target: Path) -> None:
    """Our writer, as `publish` uses it: into a storage root, each shard whole or not at all."""
    import numpy as np
    import polars as pl

    from dataproc_assets.release.build import Build
    from dataproc_assets.release.shards import write_shards
    from dataproc_assets.release.tars import shard_bounds, shard_name
    from dataproc_assets.storage.address import read_address
    from dataproc_assets.storage.objects import ObjectStore
    from dataproc_assets_tests.release.crawl import release_config

    rows = rows_of(files)
    sizes = np.array([row["size"] for row in rows])
    bounds = shard_bounds(sizes, SHARD_BYTES, None)
    for number, start in enumerate(bounds[:-1]):
        for row in rows[start : bounds[number + 1]]:
            row["shard"] = shard_name("train", number)
    build = Build(ObjectStore(str(target)), "releases/made", "0" * 64, "1")
    write_shards(build, release_config(recipes=["plain"]), pl.DataFrame(rows), read_address)


def checked(files: Path, target: Path) -> None:
    """ShardWriter with our guarantees: every image's hash checked, every shard's hash known."""
    for row in rows_of(files):
        assert hashlib.sha256(Path(row["uri"]).read_bytes()).hexdigest() == row["sha256"]
    shardwriter(files, target)
    for shard in sorted(target.iterdir()):
        with shard.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def shardwriter(files: Path, target: Path) -> None:
    """webdataset's writer, with the same parts a sample."""
    from webdataset import ShardWriter

    pattern = str(target / "train-%05d.tar")
    with ShardWriter(pattern, maxsize=SHARD_BYTES, verbose=0, mtime=0) as writer:
        for row in rows_of(files):
            writer.write(
                {
                    "__key__": row["image_id"],
                    "jpg": Path(row["uri"]).read_bytes(),
                    "json": {k: v for k, v in row.items() if k not in ("uri", "offset", "length")},
                    "txt": row["prompts__plain"][0],
                }
            )


def cp(files: Path, target: Path) -> None:
    """`cp -r` of the images alone."""
    subprocess.run(["cp", "-r", str(files), str(target)], check=True)


WRITERS = {"ours": ours, "checked": checked, "shardwriter": shardwriter, "cp": cp}


def run_one(name: str, files: Path, target: Path) -> None:
    """One writer in this process; prints its seconds, without imports, and its peak memory."""
    import polars  # noqa: F401
    import webdataset  # noqa: F401

    import dataproc_assets.release.shards  # noqa: F401
    import dataproc_assets_tests.release.crawl  # noqa: F401

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    WRITERS[name](files, target)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "mib": (peak - base) / 1024}))


def main() -> None:
    """Run the writers in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--kilobytes", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--one", nargs=3, metavar=("WRITER", "FILES", "TARGET"))
    args = parser.parse_args()
    if args.one:
        run_one(args.one[0], Path(args.one[1]), Path(args.one[2]))
        return
    found: dict[str, list[dict]] = {name: [] for name in WRITERS}
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        root = Path(temporary)
        paths = make_files(root / "files", args.images, args.kilobytes)
        fields = dict.fromkeys(
            ["width", "height", "rating", "tier", "year", "artist", "ai", "title", "caption"]
        )
        rows = [
            fields
            | {
                "image_id": hashlib.md5(path.name.encode()).hexdigest(),
                "file_name": path.name,
                "representative": f"pixiv/{path.stem}",
                "sources": ["pixiv"],
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "tags": [],
                "prompts__plain": ["1girl, solo"],
                "size": path.stat().st_size,
                "uri": str(path),
                "offset": None,
                "length": None,
            }
            for path in paths
        ]
        (root / "rows.json").write_text(json.dumps(rows))
        for _ in range(args.rounds):
            for name in WRITERS:
                target = root / "target"
                target.mkdir()
                command = [sys.executable, __file__, "--one", name, str(root / "files")]
                done = subprocess.run(
                    [*command, str(target)], check=True, capture_output=True, env=os.environ
                )
                found[name].append(json.loads(done.stdout))
                shutil.rmtree(target)
    total = args.images * args.kilobytes / 1024
    print(f"{args.images} images, {total:.0f} MiB, {args.rounds} rounds; median [least, most]")
    best = statistics.median(run["seconds"] for run in found["ours"])
    for name, runs in found.items():
        seconds = sorted(run["seconds"] for run in runs)
        middle = statistics.median(seconds)
        print(
            f"{name:12} {middle:6.2f} s [{seconds[0]:.2f}, {seconds[-1]:.2f}]  "
            f"{total / middle:6.0f} MiB/s  {middle / best:5.2f} x ours  "
            f"+{max(run['mib'] for run in runs):.0f} MiB at most"
        )


if __name__ == "__main__":
    main()
