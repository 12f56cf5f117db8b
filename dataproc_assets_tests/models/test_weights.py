import hashlib
import pickle

import pytest

from dataproc_assets.config.weights import File
from dataproc_assets.models.load import load_model
from dataproc_assets.models.weights import WeightsError, locate, read_verified, verified
from dataproc_assets_tests.models.pictures import METRIC, metric

WHERE = "conf/metrics/clip.yaml: encoder.weights"


def pinned(path, content: bytes) -> File:
    path.write_bytes(content)
    return File(uri=str(path), sha256=hashlib.sha256(content).hexdigest())


def test_the_right_bytes_are_given(tmp_path):
    file = pinned(tmp_path / "a b.onnx", b"weights")
    assert read_verified(file, WHERE) == b"weights"
    by_url = file.model_copy(update={"uri": (tmp_path / "a b.onnx").as_uri()})
    assert read_verified(by_url, WHERE) == b"weights"


def test_a_changed_file_is_refused_and_the_message_says_what_to_do(tmp_path):
    file = pinned(tmp_path / "head.safetensors", b"weights")
    (tmp_path / "head.safetensors").write_bytes(b"other")
    got = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(WeightsError) as error:
        read_verified(file, WHERE)
    for part in (WHERE, got, file.sha256, "restore the file"):
        assert part in str(error.value)
    placed = file.model_copy(update={"place": "conf/metrics/clip.yaml:14"})
    with pytest.raises(WeightsError, match=r"^conf/metrics/clip\.yaml:14: encoder\.weights: /"):
        read_verified(placed, WHERE)


def test_a_large_file_is_read_from_its_place_once_it_was_verified(tmp_path):
    file = pinned(tmp_path / "a.safetensors", b"weights")
    with verified(file, WHERE) as path:
        assert path == tmp_path / "a.safetensors"
    (tmp_path / "a.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match="has sha256"), verified(file, WHERE):
        pytest.fail("the file was given before it was verified")


def test_a_file_that_is_swapped_while_it_is_read_is_noticed(tmp_path):
    file = pinned(tmp_path / "a.safetensors", b"weights")
    other = tmp_path / "other"
    other.write_bytes(b"weights")
    changed = pytest.raises(WeightsError, match="was changed while it was read")
    with changed, verified(file, WHERE) as path:
        other.replace(path)
    with changed, verified(file, WHERE) as path:
        path.write_bytes(b"w")


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".bin", ".pkl"])
def test_a_pickle_is_refused_unread(tmp_path, suffix):
    file = pinned(tmp_path / f"model{suffix}", pickle.dumps({}))
    with pytest.raises(WeightsError, match="convert it to safetensors"):
        read_verified(file, WHERE)


def test_a_pickle_under_another_name_does_not_load(tmp_path):
    config = metric("clip")
    renamed = pinned(tmp_path / "clip.safetensors", pickle.dumps({"weight": [1.0]}))
    encoder = config.encoder.model_copy(update={"weights": renamed})
    with pytest.raises(WeightsError, match=r"weights: .* no safetensors file.*(?i:header)"):
        load_model(config.model_copy(update={"encoder": encoder}))


def test_what_cannot_be_found_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"clip\.yaml.*nowhere\.onnx does not exist"):
        read_verified(File(uri=str(tmp_path / "nowhere.onnx"), sha256="0" * 64), WHERE)
    with pytest.raises(WeightsError, match="'no_such_package' is not installed"):
        locate("package:no_such_package/w.onnx")
    absent = File(uri="package:no_such_package/w.onnx", sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"clip\.yaml: encoder.*'no_such_package' is not inst"):
        read_verified(absent, WHERE)
    lost = File(uri="package:dataproc_assets/w.onnx", sha256="0" * 64)
    with pytest.raises(WeightsError, match="install the package again"):
        read_verified(lost, WHERE)
    with pytest.raises(WeightsError, match="is not on this machine"):
        locate("s3://bucket/w.onnx")


def test_a_folder_in_a_files_place_is_no_file(tmp_path):
    (tmp_path / "w.onnx").mkdir()
    with pytest.raises(WeightsError, match="does not exist"):
        read_verified(File(uri=str(tmp_path / "w.onnx"), sha256="0" * 64), WHERE)


@pytest.mark.parametrize("name", ["clip", "tagger", "caption", "softmax", "drawing"])
def test_a_wrong_digest_in_any_metric_names_its_yaml(name):
    text = metric(name).model_dump_json()
    last = text.rindex('"sha256":"') + len('"sha256":"')
    broken = METRIC.validate_json(text[:last] + "0" * 64 + text[last + 64 :])
    with pytest.raises(WeightsError, match=rf"conf/metrics/{name}\.yaml: \w+.*expected 0{{64}}"):
        load_model(broken)


def test_heads_of_another_encoder_are_refused(tmp_path):
    config = metric("caption")
    weights = locate(config.encoder.weights.uri).read_bytes()
    # One bit of one weight: the same shapes, so that only the digest tells.
    other = pinned(tmp_path / "clip.safetensors", weights[:-1] + bytes([weights[-1] ^ 1]))
    encoder = config.encoder.model_copy(update={"weights": other})
    with pytest.raises(WeightsError, match="train it again"):
        load_model(config.model_copy(update={"encoder": encoder}))
