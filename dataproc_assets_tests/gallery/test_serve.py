import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dataproc_assets.gallery.serve import gallery_server, read_page


@contextmanager
def serving(store) -> Iterator[str]:
    server = gallery_server(store, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(url: str, method: str = "GET") -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read()


def test_pages_and_pictures_come_from_a_folder_and_from_s3(store):
    store.put("gallery/index.html", "<p>猫</p>".encode())
    store.put("gallery/thumbs/a b.webp", b"picture")
    with serving(store) as url:
        assert fetch(f"{url}/") == (200, "text/html; charset=utf-8", "<p>猫</p>".encode())
        assert fetch(f"{url}/index.html?page=2#top")[0] == 200
        assert fetch(f"{url}/thumbs/a%20b.webp") == (200, "image/webp", b"picture")
        assert fetch(f"{url}/index.html", "HEAD") == (200, "text/html; charset=utf-8", b"")


def test_before_the_first_run_the_page_says_what_draws_it(store):
    with serving(store) as url:
        status, _, body = fetch(f"{url}/")
    assert (status, body) == (404, b"The gallery is not drawn yet: `dataproc run` draws it.\n")


@pytest.mark.parametrize(
    "target",
    ["/../ledger/takedown.json", "/%2e%2e/ledger/takedown.json", "/a/../../ledger/takedown.json"],
)
def test_nothing_outside_the_gallery_is_served(store, target):
    store.put("ledger/takedown.json", b"secret")
    store.put("gallery/index.html", b"page")
    status, _, body = read_page(store, target)
    assert status == 404
    assert b"secret" not in body


def test_a_store_that_is_away_is_an_answer_too(monkeypatch):
    from dataproc_assets.storage.objects import ObjectStore

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "do-not-show")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    status, _, body = read_page(ObjectStore("s3://away/store"), "/")
    assert status == 502
    assert b"s3://away/store/gallery/index.html: cannot be read" in body
    assert b"do-not-show" not in body
