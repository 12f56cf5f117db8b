"""A proxy before an S3 server that breaks, refuses or spoils some of the requests."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Literal
from urllib.parse import urlsplit

from dataproc_assets_tests.servers import running

# pass on, refuse by a 503, drop before the server has it, lose its answer, spoil a byte
Fate = Literal["pass", "refuse", "drop", "lose", "spoil"]
HOP = ("connection", "transfer-encoding", "content-length", "date", "server")


@contextmanager
def flaky(server: str, fate: Callable[[int, str, str], Fate]) -> Iterator[tuple[str, list[Fate]]]:
    """The URL of a proxy to `server`, and the fates of the requests so far.

    `fate` is given a request's number, method and path. The client's `Host` goes on as it is, so
    that signatures stay right.
    """
    fates: list[Fate] = []
    lock = Lock()

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                what = fate(len(fates), self.command, self.path)
                fates.append(what)
            if what == "drop":
                self.close_connection = True
                return
            if what == "refuse":
                self._answer(503, [], b"<Error><Code>SlowDown</Code><Message>no</Message></Error>")
                return
            if what == "spoil" and body:
                body = bytes([body[0] ^ 1]) + body[1:]
            to = http.client.HTTPConnection(urlsplit(server).netloc)
            to.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                to.putheader(name, value)
            to.endheaders(body or None)
            answer = to.getresponse()
            data = answer.read()
            to.close()
            if what == "lose":
                self.close_connection = True
                return
            headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP]
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self._answer(answer.status, headers, data, length)

        def _answer(
            self,
            status: int,
            headers: list[tuple[str, str]],
            data: bytes,
            length: str | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _handle  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Proxy)) as url:
        yield url, fates
