"""Publishes the small release in a process of its own, which a test may kill or starve.

    python -m dataproc_assets_tests.release.publisher CRAWL STORE TITLE

prints `ready`, waits for a line of input, and then the digest and `made` or `known`.
"""

import os
import subprocess
import sys
from pathlib import Path

import dataproc_assets
from dataproc_assets.release.publish import publish
from dataproc_assets.release.select import train_table
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import make_crawl, release_config

TITLE = "A small release"


def publisher(
    crawl: Path, url: str, title: str = TITLE, **variables: str
) -> "subprocess.Popen[str]":
    """A process that is ready to publish; a line of input starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(crawl), url, title],
        env=os.environ | {"PYTHONPATH": str(Path(dataproc_assets.__file__).parents[1])} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def main() -> None:
    """Runs the command in the module's first lines."""
    folder, url, title = sys.argv[1:]
    crawl = make_crawl(Path(folder))
    print("ready", flush=True)  # noqa: T201
    sys.stdin.readline()
    config = release_config(title=title)
    done = publish(
        ObjectStore(url),
        config,
        train_table(crawl.images, crawl.sanitized, config).table,
        addresses=crawl.addresses,
        inputs={"images": "1" * 64},
        forbidden=set(),
        code_version="1",
        writers=2,
    )
    print(done.digest, "made" if done.created else "known")  # noqa: T201


if __name__ == "__main__":
    main()
