"""Looking at the files of configurations, without a model and without torch."""

import subprocess
import sys

import pytest

from dataproc_assets.config.weights import File
from dataproc_assets.models.check import Use, examine, require, uses
from dataproc_assets.models.weights import WeightsError
from dataproc_assets_tests.models.drawn import SMALL_VAE, drawn_vae, pinned, vae_folder
from dataproc_assets_tests.models.pictures import metric, vae

WHERE = "conf/metrics/x.yaml: weights"


def state(file: File) -> str:
    return examine(Use("x", WHERE, file)).state


def test_every_file_of_a_configuration_is_found_with_its_key():
    found = [(use.owner, use.where) for use in uses(metric("clip"), vae())]
    assert found == [
        ("clip", "conf/metrics/clip.yaml: encoder.architecture"),
        ("clip", "conf/metrics/clip.yaml: encoder.weights"),
        ("clip", "conf/metrics/clip.yaml: heads.score"),
        ("demo", "conf/vaes/demo.yaml: architecture"),
        ("demo", "conf/vaes/demo.yaml: weights"),
    ]


def test_the_state_of_a_file(tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"weights")
    file = pinned(path)
    assert state(file) == "present"
    path.write_bytes(b"damaged")
    assert state(file) == "mismatch"
    path.unlink()
    assert state(file) == "absent"
    assert state(file.model_copy(update={"uri": str(tmp_path / "a.ckpt")})) == "refused"
    assert state(file.model_copy(update={"uri": "package:no_such/a.onnx"})) == "refused"


def test_all_faults_are_told_at_once(tmp_path):
    require(metric("clip"), metric("pixels"), vae())
    clip, wrong = metric("clip"), {"sha256": "0" * 64}
    encoder = clip.encoder.model_copy(
        update={
            "weights": clip.encoder.weights.model_copy(update=wrong),
            "architecture": File(uri=str(tmp_path / "none.json"), sha256="0" * 64),
        }
    )
    with pytest.raises(WeightsError) as error:
        require(clip.model_copy(update={"encoder": encoder}))
    first, second = str(error.value).splitlines()
    assert first.startswith("conf/metrics/clip.yaml: encoder.architecture: ")
    assert second.startswith("conf/metrics/clip.yaml: encoder.weights: ")


def test_a_folders_files_are_required_one_by_one(tmp_path):
    drawn_vae(SMALL_VAE).save_pretrained(tmp_path)
    config = vae_folder(tmp_path, SMALL_VAE)
    require(config)
    (tmp_path / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"conf/vaes/drawn\.yaml: folder: .*config\.json does"):
        require(config)


def test_a_file_is_read_again_only_when_it_was_changed(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"weights")
    use = Use("x", WHERE, pinned(path))
    assert examine(use).state == "present"
    opened = []
    sys.addaudithook(
        lambda event, args: (
            opened.append(args[0]) if event == "open" and args[0] == str(path) else None
        )
    )
    assert examine(use).state == "present"
    assert not opened
    path.write_bytes(b"WEIGHTS")
    opened.clear()
    assert examine(use).state == "mismatch"
    assert len(opened) == 1


def test_looking_needs_no_torch():
    code = (
        "import sys, dataproc_assets.models.check, dataproc_assets.weights; "
        "print(*{'torch', 'diffusers', 'open_clip', 'huggingface_hub'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
