from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dataproc_assets.config.intake import ByFolders, ByRanges
from dataproc_assets.storage.listed import OddKeyError
from dataproc_assets.storage.listing import list_prefix
from dataproc_assets.storage.objects import ObjectStore, open_store
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.s3 import BUCKET
from dataproc_assets_tests.servers import running

FOLDERS = ByFolders(by="folders", connections=2, split_after=1)
RANGES = ByRanges(by="ranges", connections=2)
SECRETS = ("testkey", "testsecret", "readkey", "readsecret", "wrong-one", "AKIA")


def said(url: str = f"s3://{BUCKET}") -> str:
    """What every way to list a store says, which is one thing."""
    ways = (
        lambda: ObjectStore(url).check("crawl"),
        lambda: ObjectStore(url).list("crawl"),
        lambda: ObjectStore(url).folder("crawl"),
        lambda: list_prefix(ObjectStore(url), "crawl", FOLDERS),
        lambda: list_prefix(ObjectStore(url), "crawl", RANGES),
    )
    messages = set()
    for way in ways:
        with pytest.raises(ConnectionError) as caught:
            way()
        messages.add(str(caught.value))
    (message,) = messages
    assert "\n" not in message and "<" not in message
    assert not any(secret in message for secret in SECRETS)
    return message


def test_a_missing_bucket_is_named(s3):
    assert said("s3://nowhere/root") == (
        "s3://nowhere/root/crawl: cannot be listed: NoSuchBucket (The specified bucket does not "
        "exist); make the bucket, or correct its name in conf/profiles"
    )


def test_a_wrong_secret_is_no_wrong_key(s3, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-one")
    assert said().startswith(f"s3://{BUCKET}/crawl: cannot be listed: SignatureDoesNotMatch (")
    assert said().endswith("; the secret key is wrong: set AWS_SECRET_ACCESS_KEY again")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong-one")
    assert ": InvalidAccessKeyId (" in said()
    assert "; the access key is wrong, or its session is over: set AWS_ACCESS_KEY_ID" in said()


def test_a_session_that_the_server_does_not_know_is_said(s3, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", "wrong-one")
    assert "its session is over: set AWS_ACCESS_KEY_ID again, and AWS_SESSION_TOKEN" in said()


def test_who_may_read_but_not_list_is_told_which_right_to_ask_for(s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "readkey")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "readsecret")
    assert ": cannot be listed: AccessDenied (Access Denied" in said()
    assert "; let these credentials list it (s3:ListBucket) and read it (s3:GetObject)" in said()


def test_an_endpoint_that_does_not_answer_is_named(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError) as caught:
        ObjectStore(f"s3://{BUCKET}").check()
    assert str(caught.value) == (
        f"s3://{BUCKET}: cannot be listed: Generic S3 error: Error performing list request: Error "
        f"performing GET http://127.0.0.1:9/{BUCKET}?list-type=2 - HTTP error: error sending "
        "request; no server answers there: start it, or correct AWS_ENDPOINT_URL_S3"
    )


ANSWERS = {  # as AWS answers, which SeaweedFS does not
    "ExpiredToken": (
        400,
        "<Message>The provided token has expired.</Message><Token-0>AKIA</Token-0>",
        "(The provided token has expired.); get new temporary credentials",
    ),
    "PermanentRedirect": (
        400,
        "<Message>The bucket must be addressed\n elsewhere.</Message><Bucket>test</Bucket>",
        "(The bucket must be addressed elsewhere.); the bucket is in another region",
    ),
    "SignatureDoesNotMatch": (
        403,
        "<Message>No match.</Message><AWSAccessKeyId>AKIA</AWSAccessKeyId>",
        "(No match.); the secret key is wrong",
    ),
    "Unheard": (400, "<Message>Why.</Message>", "Unheard (Why.)"),
}


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """The URL of a server that gives every request one answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with running(ThreadingHTTPServer(("127.0.0.1", 0), Answer)) as url:
        yield url


@pytest.mark.parametrize("code", ANSWERS)
def test_what_aws_answers_is_said_without_its_keys(s3, monkeypatch, code):
    status, rest, wanted = ANSWERS[code]
    with answering(status, f"<Error><Code>{code}</Code>{rest}</Error>") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        assert wanted in said()


def test_a_key_that_is_no_path_is_named(s3, monkeypatch):
    page = (
        "<ListBucketResult><Contents><Key>crawl/a//b</Key><Size>1</Size><ETag>x</ETag>"
        "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
    )
    with answering(200, page) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        with pytest.raises(
            OddKeyError, match=r'"crawl/a//b".*; .*rename the object or take it out'
        ):
            ObjectStore(f"s3://{BUCKET}").list("crawl")


def failure(result) -> str:
    """The ConnectionError that a run failed with."""
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    while error.cls_name != "ConnectionError":
        error = error.cause
    return error.message


@pytest.mark.parametrize("wrong", ["bucket", "secret", "right"])
def test_a_crawl_that_cannot_be_listed_changes_nothing(crawled: World, s3_url, monkeypatch, wrong):
    root = f"{s3_url}/crawl"
    for path in (path for path in crawled.bucket.rglob("*") if path.is_file()):
        ObjectStore(root).put(str(path.relative_to(crawled.bucket)), path.read_bytes())
    crawled.change("profiles/local.yaml", lambda conf: conf["crawl"].update(root=root))
    assert crawled.make("inventory", "records", "todo", partition="pixiv").success
    before = crawled.lake.store.list()
    if wrong == "secret":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-one")
    elif wrong == "right":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "readkey")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "readsecret")
    root = "s3://nowhere" if wrong == "bucket" else root
    crawled.change("profiles/local.yaml", lambda conf: conf["crawl"].update(root=root))
    open_store.cache_clear()  # as a process that starts with these variables
    assert ": cannot be listed: " in failure(crawled.make("inventory", partition="pixiv"))
    assert crawled.lake.store.list().equals(before)
