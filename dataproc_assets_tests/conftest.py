"""What tests of any part may use: an S3 server, stores on a folder and on it, made worlds."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.demo import Demo
from dataproc_assets_tests.s3 import BUCKET, s3_server
from dataproc_assets_tests.sqs import Events, make_events, moto_server, point_to

settings.register_profile("tests", deadline=None)  # other work on the machine is no failure
settings.load_profile("tests")

_NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The `AWS_*` variables of a running S3 server; they are set until the session ends."""
    with (
        s3_server(tmp_path_factory.mktemp("s3")) as variables,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        yield variables


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of a running server that has S3, SQS, and events from one to the other."""
    with moto_server() as url:
        yield url


@pytest.fixture
def events(moto, monkeypatch) -> Events:
    """An empty bucket whose events go to an empty queue; the `AWS_*` variables lead there."""
    point_to(monkeypatch, moto)
    return make_events(moto, f"crawls-{next(_NUMBERS)}")


@pytest.fixture
def s3_url(s3) -> str:
    """An empty prefix on the S3 server."""
    return f"s3://{BUCKET}/{next(_NUMBERS)}"


@pytest.fixture(params=["folder", "s3"])
def url(request, tmp_path) -> str:
    """An empty root, on a folder and on S3."""
    if request.param == "s3":
        return request.getfixturevalue("s3_url")
    return str(tmp_path / "store")


@pytest.fixture
def store(url) -> ObjectStore:
    """An empty store, on a folder and on S3."""
    return ObjectStore(url)


@pytest.fixture
def both(s3_url, tmp_path) -> tuple[ObjectStore, ObjectStore]:
    """Two empty stores: a folder, and one on S3."""
    return ObjectStore(str(tmp_path / "store")), ObjectStore(s3_url)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The finished demo: made once, to be read only."""
    made = Demo.create(tmp_path_factory.mktemp("demo") / "home")
    made.run()
    return made


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A small world in which everything is made: to be read only."""
    return World.finished(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A world without any image, made up to what may be released."""
    made = World.create(tmp_path_factory.mktemp("empty"))
    made.run(until="sanitized")
    return made


@pytest.fixture
def world(finished: World, tmp_path: Path) -> World:
    """The finished world's storage and configuration, the test's own; the crawl is shared."""
    return finished.copy(tmp_path / "copy")


@pytest.fixture
def crawled(tmp_path: Path) -> World:
    """A world whose crawl is on the bucket and of which nothing is made."""
    return World.crawled(tmp_path / "crawled")
