"""A small server on loopback that speaks the hub's protocol for files, and its users' place."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dataproc_assets_tests.servers import running

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_secret_of_a_test"


@dataclass
class Hub:
    """Files by `owner/repo/path`, all of one commit; the requests that came, and who asked.

    `gated` repositories are given to TOKEN alone. Of a file in `broken`, a GET gives other bytes.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, name: str, content: bytes) -> str:
        """A file more; the SHA-256 of its bytes."""
        self.files[name] = content
        return hashlib.sha256(content).hexdigest()


@contextmanager
def hub_server() -> Iterator[Hub]:
    """A hub without files, at `url`."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            repo, _, rest = self.path.lstrip("/").partition("/resolve/")
            revision, _, path = rest.partition("/")
            name = f"{repo}/{path}"
            if not any(other.startswith(f"{repo}/") for other in hub.files):
                return self._refuse(404, "RepoNotFound")
            if repo in hub.gated and self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._refuse(403, "GatedRepo")
            if revision not in (COMMIT, "main"):
                return self._refuse(404, "RevisionNotFound")
            if name not in hub.files:
                return self._refuse(404, "EntryNotFound")
            return self._give(hub.files[name], name in hub.broken, with_body)

        def _give(self, content: bytes, broken: bool, with_body: bool) -> None:
            etag, size = hashlib.sha256(content).hexdigest(), len(content)
            start = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
            part = bytes(size) if broken else content
            part = part[int(start) :]
            self.send_response(206 if int(start) else 200)
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Linked-Etag", f'"{etag}"')
            self.send_header("X-Linked-Size", str(size))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Accept-Ranges", "bytes")
            if int(start):
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if with_body:
                self.wfile.write(part)

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Tests want no log."""

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as hub.url:
        yield hub
