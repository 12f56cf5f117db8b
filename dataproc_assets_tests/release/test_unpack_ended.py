"""Unpacking that is killed, has no room, or loses its connections."""

import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.making import tree
from dataproc_assets_tests.release.unpacking import (
    files,
    write,
)
from dataproc_assets_tests.servers import running

KILLED = """
import os, signal, sys
from pathlib import Path
from dataproc_assets.release.unpack import unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore

left = int(sys.argv[3])

def seen(size):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

unpack(plan_unpack(ObjectStore(sys.argv[1]), "small"), Path(sys.argv[2]), threads=2, seen=seen)
"""


@pytest.mark.parametrize("pieces", [0, 3, 8])
def test_a_killed_unpack_leaves_nothing_half_written_and_goes_on(released, tmp_path, pieces):
    write(released, tmp_path / "whole")
    whole = files(tmp_path / "whole")
    arguments = [released.url, str(tmp_path / "killed"), str(pieces)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = tree(tmp_path / "killed")
    visible = {path: data for path, data in left.items() if not path.startswith(".unpack/")}
    assert visible.items() <= whole.items()
    assert (pieces > 3) <= bool(visible)
    write(released, tmp_path / "killed")
    assert files(tmp_path / "killed") == whole
    notes = list((tmp_path / "killed" / ".unpack").iterdir())
    assert all(path.is_file() and path.suffix in (".json", "") for path in notes)


FULL = """
import resource, signal, sys
from pathlib import Path
from dataproc_assets.release.unpack import unpack
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit is then an OSError
plan = plan_unpack(ObjectStore(sys.argv[1]), "small")
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
try:
    unpack(plan, Path(sys.argv[2]))
except OSError as error:
    sys.exit(f"{error}")
"""


def test_a_disk_that_is_full_leaves_nothing_half_written(released, tmp_path):
    arguments = [released.url, str(tmp_path / "full")]
    full = subprocess.run(
        [sys.executable, "-c", FULL, *arguments], capture_output=True, text=True, check=False
    )
    assert full.returncode == 1 and "File too large" in full.stderr
    write(released, tmp_path / "whole")
    whole = files(tmp_path / "whole")
    visible = {p: d for p, d in tree(tmp_path / "full").items() if not p.startswith(".unpack/")}
    assert visible.items() < whole.items()
    write(released, tmp_path / "full")
    assert files(tmp_path / "full") == whole


@contextmanager
def cutting_server(folder: Path, cuts: int) -> Iterator[tuple[str, list[str]]]:
    """An S3 that only gives objects, and closes the connection in the middle of the first tars."""
    cut: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = folder / unquote(self.path).removeprefix("/bucket/")
            data = path.read_bytes() if path.is_file() else b""
            if "list-type=2" in self.path:  # nothing is listed there: no revocation
                data = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
            start = int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0])
            self.send_response(206 if start else 200 if data else 404)
            self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - start))
            self.end_headers()
            if path.suffix == ".tar" and len(cut) < cuts:
                cut.append(self.path)
                self.wfile.write(data[start : start + (len(data) - start) // 2])
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            else:
                self.wfile.write(data[start:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests want no log."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url, cut


def test_connections_that_break_in_the_middle_are_outlived(released, tmp_path, monkeypatch):
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    write(released, tmp_path / "whole")
    with cutting_server(Path(released.url), 3) as (url, cut):
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        write(ObjectStore("s3://bucket"), tmp_path / "cut")
    assert len(cut) == 3
    assert files(tmp_path / "cut") == files(tmp_path / "whole")
