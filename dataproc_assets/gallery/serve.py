"""The gallery's pages over HTTP, from wherever the storage root is."""

import mimetypes
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.storage.objects import ObjectStore

NOT_DRAWN = b"The gallery is not drawn yet: `dataproc run` draws it.\n"


def gallery_server(store: ObjectStore, host: str, port: int) -> ThreadingHTTPServer:
    """A server of the gallery's files, and of nothing else; `serve_forever` starts it.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD."""

        def do_GET(self) -> None:
            """A page or picture."""
            status, kind, body = read_page(store, self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-cache")  # a later run draws it anew
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Requests are not worth a line each."""

    return ThreadingHTTPServer((host, port), Handler)


def read_page(store: ObjectStore, target: str) -> tuple[HTTPStatus, str, bytes]:
    """Status, content type and body of the file that a request's target names."""
    path = unquote(urlsplit(target).path)
    if path.endswith("/"):
        path += "index.html"
    parts = PurePosixPath(path).parts[1:]
    plain = "text/plain; charset=utf-8"
    if ".." in parts or not parts:
        return HTTPStatus.NOT_FOUND, plain, b"There is no such page.\n"
    try:
        _, pieces = store.stream("/".join((gallery_path(), *parts)))
        body = b"".join(pieces)
    except FileNotFoundError:
        missing = NOT_DRAWN if parts == ("index.html",) else b"There is no such page.\n"
        return HTTPStatus.NOT_FOUND, plain, missing
    except ConnectionError as error:
        return HTTPStatus.BAD_GATEWAY, plain, f"{error}\n".encode()
    kind = mimetypes.guess_type(parts[-1])[0] or "application/octet-stream"
    return HTTPStatus.OK, f"{kind}; charset=utf-8" if kind.startswith("text/") else kind, body
