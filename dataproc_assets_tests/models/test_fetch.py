"""Weights on S3, fetched from a real server into a cache."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dataproc_assets.config.weights import File
from dataproc_assets.models.fetch import FetchError, cache_folder, cached_object, fetch_object
from dataproc_assets.models.weights import WeightsError, look, read_verified, verified
from dataproc_assets.storage.objects import PIECE, ObjectStore

WHERE = "conf/metrics/clip.yaml: heads.score"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DATAPROC_WEIGHTS", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put(url: str, content: bytes, name: str = "heads/score.safetensors") -> File:
    ObjectStore(url).put(name, content)
    return File(uri=f"{url}/{name}", sha256=hashlib.sha256(content).hexdigest())


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


def test_the_cache_is_where_the_environment_says(monkeypatch):
    assert cache_folder().name == "cache"
    monkeypatch.delenv("DATAPROC_WEIGHTS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache")
    assert cache_folder() == Path("/var/cache/dataproc/weights")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache/dataproc/weights"


def test_an_object_is_fetched_once_and_then_read_from_the_cache(s3_url, cache):
    content = os.urandom(2 * PIECE + 17)
    file = put(s3_url, content)
    assert look(file) is None
    came = []
    path = fetch_object(file, on_bytes=lambda done, size: came.append((done, size)))
    assert path == cached_object(file) == look(file)
    assert path.read_bytes() == content
    assert len(came) > 1
    assert came[-1] == (len(content), len(content))
    ObjectStore(s3_url).delete("heads/score.safetensors")
    assert read_verified(file, WHERE) == content
    assert files(cache) == [f"{file.sha256}.safetensors"]


def test_a_reader_fetches_by_itself(s3_url):
    file = put(s3_url, b"weights")
    with verified(file, WHERE) as path:
        assert path.read_bytes() == b"weights"


def test_an_object_with_another_digest_leaves_nothing(s3_url, cache):
    file = put(s3_url, b"weights").model_copy(update={"sha256": "0" * 64})
    got = hashlib.sha256(b"weights").hexdigest()
    with pytest.raises(WeightsError) as error:
        read_verified(file, WHERE)
    for part in (WHERE, file.uri, f"has sha256 {got}, expected {'0' * 64}", "upload the right"):
        assert part in str(error.value)
    assert not files(cache)


def test_an_object_that_is_not_there_is_said(s3_url, cache):
    file = File(uri=f"{s3_url}/none.onnx", sha256="0" * 64, place="conf/metrics/clip.yaml:30")
    with pytest.raises(WeightsError) as error:
        read_verified(file, WHERE)
    assert str(error.value) == (
        f"conf/metrics/clip.yaml:30: heads.score: {file.uri} there is no such object; upload it, "
        "or correct its uri"
    )
    assert not files(cache)


def test_a_store_that_is_away_is_said(s3_url, monkeypatch, cache):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    file = File(uri="s3://another-bucket/a.onnx", sha256="0" * 64)
    with pytest.raises(FetchError, match=r"^cannot be read: "):
        fetch_object(file)
    assert not files(cache)


def test_a_cache_that_cannot_be_written_is_said(s3_url, cache):
    file = put(s3_url, b"weights")
    cache.write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match=rf"{file.uri} cannot be kept in {cache}: "):
        read_verified(file, WHERE)


def test_a_damaged_copy_is_fetched_again_once(s3_url, cache):
    file = put(s3_url, b"weights")
    path = fetch_object(file)
    path.write_bytes(b"damaged")
    assert read_verified(file, WHERE) == b"weights"
    path.write_bytes(b"damaged")
    with verified(file, WHERE) as again:
        assert again.read_bytes() == b"weights"
    path.write_bytes(b"damaged")
    ObjectStore(s3_url).put("heads/score.safetensors", b"another")
    with pytest.raises(WeightsError, match="upload the right object"):
        read_verified(file, WHERE)


CODE = """
import json, sys
from dataproc_assets.config.weights import File
from dataproc_assets.models.fetch import fetch_object
from dataproc_assets.storage.objects import ObjectStore
took, stream = [], ObjectStore.stream
ObjectStore.stream = lambda store, path: took.append(path) or stream(store, path)
path = fetch_object(File.model_validate_json(sys.argv[1]))
print(json.dumps([len(took), path.stat().st_size]))
"""


def test_of_several_processes_one_fetches(s3_url, cache):
    content = os.urandom(3 * PIECE)
    file = put(s3_url, content)
    command = [sys.executable, "-c", CODE, file.model_dump_json()]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    told = [json.loads(process.communicate()[0]) for process in started]
    assert sorted(took for took, _ in told) == [0, 0, 1]
    assert {size for _, size in told} == {len(content)}
    assert files(cache) == [f"{file.sha256}.safetensors"]
