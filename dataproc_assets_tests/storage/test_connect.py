import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dataproc_assets.config.s3 import S3Config
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.servers import running


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
def test_an_endpoint_comes_from_any_of_its_variables(name, s3, s3_url, monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.setenv(name, s3["AWS_ENDPOINT_URL_S3"])
    store = ObjectStore(s3_url)
    store.put("x", b"found")
    assert store.get("x") == b"found"


def get_elsewhere(url: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The object `a` of a store, read by a process with these `AWS_*` variables alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    code = (
        "from dataproc_assets.storage.objects import open_store as o\n"
        + f"print(o({url!r}).get('a'))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_profile_says_where_the_store_is(s3, s3_url):
    ObjectStore(s3_url).put("a", b"there")
    place = S3Config(endpoint=s3["AWS_ENDPOINT_URL_S3"], region="us-east-1").variables()
    keys = {name: value for name, value in s3.items() if "KEY" in name}
    done = get_elsewhere(s3_url, {**keys, **place})
    assert done.stdout == "b'there'\n", done.stderr


def test_without_path_style_the_bucket_is_part_of_the_hosts_name():
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.send_header("ETag", '"x"')
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            self.end_headers()
            self.wfile.write(b"there")

        def log_message(self, *args: object) -> None:
            pass

    place = S3Config(endpoint="http://store.example", region="x", path_style=False).variables()
    with running(ThreadingHTTPServer(("127.0.0.1", 0), Proxy)) as url:
        through = {"HTTP_PROXY": url, "NO_PROXY": ""}
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        done = get_elsewhere("s3://pictures/crawl", {**keys, **place, **through})
    assert done.stdout == "b'there'\n", done.stderr
    assert asked == ["http://pictures.store.example/crawl/a"]
