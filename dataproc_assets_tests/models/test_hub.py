"""The hub's real client, against a server on loopback."""

import hashlib
import socket
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from dataproc_assets.config.weights import File
from dataproc_assets.models import hub as client
from dataproc_assets.models.fetch import FetchError
from dataproc_assets.models.weights import WeightsError, read_verified, verified
from dataproc_assets_tests.models.hub import COMMIT, TOKEN, Hub, hub_server

NAME = "owner/repo/folder/model.safetensors"
WHERE = "conf/metrics/clip.yaml: encoder.weights"


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty Hugging Face cache; the client reads its variables when it is imported."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return tmp_path / "hub"


@pytest.fixture
def hub(cache, monkeypatch):
    with hub_server() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


def file(**changes) -> File:
    return File(**{"uri": f"hf://{NAME}", "revision": COMMIT, **changes})


def test_what_was_fetched_lies_in_the_cache_and_is_not_asked_for_again(hub: Hub, cache):
    digest = hub.add(NAME, b"weights")
    pinned = file(sha256=digest)
    assert client.in_cache(pinned) is None
    path = client.fetch(pinned)
    assert path == client.in_cache(pinned)
    assert path.is_relative_to(cache)
    assert read_verified(pinned, WHERE) == b"weights"
    asked = len(hub.requests)
    assert client.fetch(pinned) == path
    assert read_verified(file(), WHERE) == b"weights"
    assert len(hub.requests) == asked


def test_a_run_looks_into_the_cache_alone(hub: Hub):
    hub.add(NAME, b"weights")
    with pytest.raises(WeightsError) as error:
        read_verified(file(place="conf/metrics/clip.yaml:14"), WHERE)
    assert str(error.value) == (
        f"conf/metrics/clip.yaml:14: encoder.weights: hf://{NAME} is not in the Hugging Face "
        "cache; fetch it with: dataproc weights fetch clip"
    )
    assert not hub.requests


def test_the_command_names_the_set_that_the_yaml_belongs_to(cache):
    with pytest.raises(WeightsError, match=r"dataproc weights fetch --metrics production clip$"):
        read_verified(file(place="conf/metrics/production/clip.yaml:14"), WHERE)
    with pytest.raises(WeightsError, match=r"dataproc weights fetch sdxl$"):
        read_verified(file(), "conf/vaes/sdxl.yaml: folder")


def test_a_digest_alone_finds_the_version_that_has_it(hub: Hub):
    old = hub.add(NAME, b"old")
    client.fetch(file())
    assert read_verified(file(revision=None, sha256=old), WHERE) == b"old"
    with pytest.raises(WeightsError, match="expected"):
        read_verified(file(revision=None, sha256="0" * 64), WHERE)


def test_another_digest_than_the_yamls_is_refused(hub: Hub):
    hub.add(NAME, b"weights")
    client.fetch(file())
    got = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(WeightsError) as error:
        read_verified(file(sha256="0" * 64), WHERE)
    for part in (got, "0" * 64, "fetch it again with: dataproc weights fetch clip"):
        assert part in str(error.value)


def test_a_damaged_cache_is_noticed_where_a_commit_alone_pins_the_file(hub: Hub):
    hub.add(NAME, b"weights")
    path = client.fetch(file())
    path.resolve().write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="has sha256"), verified(file(), WHERE):
        pass
    assert client.fetch(file(), again=True).read_bytes() == b"weights"


def test_gits_digest_of_a_small_file_is_checked_too(cache):
    content = b'{"a": 1}'
    name = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    folder = cache / "models--owner--repo"
    blob, link = folder / "blobs" / name, folder / "snapshots" / COMMIT / "config.json"
    for path in (blob, link):
        path.parent.mkdir(parents=True)
    blob.write_bytes(content)
    link.symlink_to(blob)
    config = File(uri="hf://owner/repo/config.json", revision=COMMIT)
    assert read_verified(config, WHERE) == content
    blob.write_bytes(content + b" ")
    with pytest.raises(WeightsError, match=f"has git's sha1 .*expected {name}"):
        read_verified(config, WHERE)


def test_a_gated_file_is_given_to_a_token_that_no_message_shows(hub: Hub, monkeypatch):
    hub.add(NAME, b"weights")
    hub.gated.add("owner/repo")
    with pytest.raises(FetchError, match="is gated; accept its terms on the hub and set HF_TOKEN"):
        client.fetch(file())
    monkeypatch.setenv("HF_TOKEN", TOKEN + "x")
    with pytest.raises(FetchError) as error:
        client.fetch(file())
    assert TOKEN not in str(error.value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert client.fetch(file()).read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uri": "hf://owner/other/a.onnx"}, "the hub has no owner/other"),
        ({"revision": "f" * 40}, "owner/repo has no revision f{40}"),
        ({"uri": "hf://owner/repo/a.onnx"}, "owner/repo has no a.onnx at 0123"),
    ],
)
def test_what_the_hub_does_not_have_is_said(hub: Hub, changes, message):
    hub.add(NAME, b"weights")
    with pytest.raises(FetchError, match=message):
        client.fetch(file(**changes))


def test_offline_is_said(cache, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FetchError, match=r"^HF_HUB_OFFLINE is set$"):
        client.fetch(file())


@pytest.mark.slow  # the client tries again for 20 s
def test_a_hub_that_is_away_is_said(cache, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        template = f"http://127.0.0.1:{free.getsockname()[1]}/{{repo_id}}/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(FetchError, match="the hub cannot be reached: ConnectError"):
        client.fetch(file())
    assert len(waits) > 2 and waits == sorted(waits)  # it was asked again, later each time


def test_a_file_that_came_broken_is_no_file(hub: Hub):
    """The client checks a size alone: the bytes are ours to check."""
    digest = hub.add(NAME, b"weights")
    hub.broken.add(NAME)
    client.fetch(file())
    with pytest.raises(WeightsError, match=f"expected {digest}"):
        read_verified(file(sha256=digest), WHERE)
