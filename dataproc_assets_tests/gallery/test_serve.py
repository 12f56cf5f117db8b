import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest

from dataproc_assets.config.gallery import GalleryConfig, SearchConfig
from dataproc_assets.gallery.response import Answer
from dataproc_assets.gallery.serve import LONGEST, gallery_server, is_loopback, read_page
from dataproc_assets_tests.servers import running


def serving(store, site=None) -> AbstractContextManager[str]:
    return running(gallery_server(store, "127.0.0.1", 0, site))


def fetch(url: str, method: str = "GET", host: str | None = None) -> tuple[int, str, bytes]:
    headers = {"Host": host} if host else {}
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
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


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com", ""])
def test_no_address_that_others_reach_is_listened_on(store, host):
    assert not is_loopback(host)
    with pytest.raises(ValueError, match="can be reached from other machines"):
        gallery_server(store, host, 0)


def test_a_request_under_another_name_is_refused(store):
    """A page of another site whose name is made to lead here could else read what is served."""
    store.put("gallery/index.html", b"page")
    with serving(store) as url:
        for host in ("attacker.example", "attacker.example:3001", "[::2]", "0.0.0.0"):
            status, _, body = fetch(f"{url}/", host=host)
            assert status == 403 and b"page" not in body
        for host in ("localhost:1234", "127.0.0.1", "[::1]:80"):  # a forwarded port may be another
            assert fetch(f"{url}/", host=host)[0] == 200


@pytest.mark.parametrize(
    "target", ["//[", "/%00", "/a%00/b", "/search?q=%", "/%ff%fe", "/thumbs/%00"]
)
def test_an_address_that_is_none_is_an_answer_too(store, target):
    with serving(store) as url:
        connection = http.client.HTTPConnection(url.removeprefix("http://"))
        connection.putrequest("GET", target)
        connection.endheaders()
        assert connection.getresponse().status in (400, 404)
        connection.close()
        assert fetch(f"{url}/", host="[")[0] == 403


def test_a_long_address_is_refused(store):
    with serving(store) as url:
        assert fetch(f"{url}/search?q={'a' * LONGEST}")[0] == 414


def test_the_icon_that_browsers_ask_for_is_no_error(store):
    with serving(store) as url:
        assert fetch(f"{url}/favicon.ico")[0] == 204


def test_pages_say_that_nothing_else_may_read_or_guess_them(store):
    store.put("gallery/index.html", b"page")
    with serving(store) as url, urllib.request.urlopen(f"{url}/") as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@dataclass
class Slow:
    """A site whose answers wait until they are let go."""

    limits: SearchConfig
    go: threading.Event = field(default_factory=threading.Event)

    def route(self, target: str) -> Callable[[], Answer] | None:
        def answer() -> Answer:
            self.go.wait()
            return Answer(HTTPStatus.OK, "text/plain", b"done")

        return answer if target.startswith("/search") else None

    def cleared(self, page: Answer) -> Answer:
        return page


def test_an_answer_that_takes_long_and_more_than_there_is_room_for_are_told_to_come_again(
    store, config: GalleryConfig
):
    store.put("gallery/index.html", b"page")
    limits = config.search.model_copy(update={"threads": 1, "waiting": 1, "seconds": 0.05})
    slow = Slow(limits)
    with serving(store, slow) as url:
        try:
            for _ in range(3):  # one is worked on, one waits, one has no room
                status, _, body = fetch(f"{url}/search")
                assert status == 503 and b"ask again" in body
            assert fetch(f"{url}/")[0] == 503  # that may be shown is asked of the same threads
        finally:
            slow.go.set()
        while fetch(f"{url}/search")[0] != 200:  # until what waited is worked off
            pass
        assert fetch(f"{url}/") == (200, "text/html; charset=utf-8", b"page")
