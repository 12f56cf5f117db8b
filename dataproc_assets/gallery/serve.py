"""The gallery's pages over HTTP, from wherever the storage root is, and the site's answers."""

import ipaddress
import mimetypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from threading import BoundedSemaphore
from urllib.parse import unquote, urlsplit

from dataproc_assets.gallery.response import HTML, TEXT, Answer
from dataproc_assets.gallery.site import Site
from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.storage.objects import ObjectStore

NOT_DRAWN = b"The gallery is not drawn yet: `dataproc run` draws it.\n"
LONGEST = 4096  # characters of a request's target
LOCAL = ("localhost", "127.0.0.1", "::1")
IDLE_SECONDS = 30  # after which a browser that says nothing is let go
BUSY = Answer(
    HTTPStatus.SERVICE_UNAVAILABLE, TEXT, b"That takes longer, or many ask at once: ask again.\n"
)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def gallery_server(
    store: ObjectStore, host: str, port: int, site: Site | None = None
) -> ThreadingHTTPServer:
    """A server of the gallery's files and of a site's answers; `serve_forever` starts it.

    A request under another name than this machine's own is refused: a page of another site could
    else have its name lead here, and read what is served.

    Raises:
        OSError: the port is taken.
        ValueError: the host is not an address of this machine alone.
    """
    if not is_loopback(host):
        raise ValueError(f"{host} can be reached from other machines")

    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD."""

        timeout = IDLE_SECONDS

        def do_GET(self) -> None:
            """A page, a picture or an answer."""
            with suppress(ConnectionError):  # a browser that has gone on does not wait for it
                self._send(self._answer())

        do_HEAD = do_GET  # noqa: N815

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Cache-Control", "no-cache")  # a later run draws it anew
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cross-Origin-Resource-Policy", "same-origin")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def _answer(self) -> Answer:
            if len(self.path) > LONGEST:
                return Answer(HTTPStatus.REQUEST_URI_TOO_LONG, TEXT, b"The address is too long.\n")
            if _name(self.headers.get("Host", "")) not in (*LOCAL, host):
                return Answer(HTTPStatus.FORBIDDEN, TEXT, b"This machine has another name.\n")
            if self.path == "/favicon.ico":  # browsers ask for one unasked
                return Answer(HTTPStatus.NO_CONTENT, TEXT, b"")
            found = desk.answer(self.path) if desk else None
            return found or self._file()

        def _file(self) -> Answer:
            found = Answer(*read_page(store, self.path))
            shows = found.status is HTTPStatus.OK and found.kind == HTML
            return desk.work(partial(desk.site.cleared, found)) if desk and shows else found

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Requests are not worth a line each."""

    desk = Desk(site) if site else None
    return ThreadingHTTPServer((host, port), Handler)


def _name(host: str) -> str | None:
    """The name in a request's `Host`; None where there is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


class Desk:
    """Has a site's answers worked on by a few threads, and gives each a bounded time.

    What takes longer is worked on to its end: whoever asks again may find it done.
    """

    def __init__(self, site: Site) -> None:
        self.site, limits = site, site.limits
        self._seconds = limits.seconds
        self._room = BoundedSemaphore(limits.threads + limits.waiting)
        self._workers = ThreadPoolExecutor(limits.threads, thread_name_prefix="answers")

    def answer(self, target: str) -> Answer | None:
        """The site's answer, or that it takes too long; None where the site has none."""
        route = self.site.route(target)
        return self.work(route) if route else None

    def work(self, find: Callable[[], Answer]) -> Answer:
        """An answer, or that it takes too long."""
        if not self._room.acquire(blocking=False):
            return BUSY
        found = self._workers.submit(find)
        found.add_done_callback(lambda _: self._room.release())
        try:
            return found.result(self._seconds)
        except TimeoutError:
            return BUSY


def read_page(store: ObjectStore, target: str) -> tuple[HTTPStatus, str, bytes]:
    """Status, content type and body of the file that a request's target names."""
    path = unquote(urlsplit(target).path)
    if path.endswith("/"):
        path += "index.html"
    parts = PurePosixPath(path).parts[1:]
    if ".." in parts or not parts or not path.isprintable():
        return HTTPStatus.NOT_FOUND, TEXT, b"There is no such page.\n"
    try:
        _, pieces = store.stream("/".join((gallery_path(), *parts)))
        body = b"".join(pieces)
    except FileNotFoundError:
        missing = NOT_DRAWN if parts == ("index.html",) else b"There is no such page.\n"
        return HTTPStatus.NOT_FOUND, TEXT, missing
    except ConnectionError as error:
        return HTTPStatus.BAD_GATEWAY, TEXT, f"{error}\n".encode()
    kind = mimetypes.guess_type(parts[-1])[0] or "application/octet-stream"
    return HTTPStatus.OK, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, body
