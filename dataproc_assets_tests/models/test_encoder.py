"""Encoders of every form, with weights drawn on the spot."""

import json

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from dataproc_assets.config.encoders import Encoder, ImageInput
from dataproc_assets.config.weights import File
from dataproc_assets.models.encoder import ClipEncoder, check_dimensions, load_clip
from dataproc_assets.models.load import load_model
from dataproc_assets.models.weights import WeightsError
from dataproc_assets_tests.models.drawn import pinned
from dataproc_assets_tests.models.pictures import decoded, metric, scene

WHERE = "conf/metrics/clip.yaml"
INPUT = ImageInput(side=32, mean=[127.5] * 3, std=[127.5] * 3)
SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 64, "heads": 2, "layers": 1},
}


def drawn(**changes) -> open_clip.CLIP:
    torch.manual_seed(0)
    return open_clip.CLIP(**{**SMALL, **changes}).eval()


def encoder(folder, tensors, settings=SMALL, **form) -> Encoder:
    (folder / "clip.json").write_text(json.dumps(settings))
    save_file(tensors, folder / "clip.safetensors")
    form = form or {"architecture": pinned(folder / "clip.json")}
    return Encoder(weights=pinned(folder / "clip.safetensors"), input=INPUT, **form)


def embedding(model) -> torch.Tensor:
    pictures = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return model.encode_image(pictures)


def test_metrics_of_one_encoder_at_different_lines_share_it():
    clip = metric("clip")
    weights = clip.encoder.weights.model_copy(update={"place": "conf/metrics/other.yaml:9"})
    shared = clip.encoder.model_copy(update={"weights": weights})
    other = clip.model_copy(update={"encoder": shared, "name": "other"})
    assert shared != clip.encoder
    assert load_model(clip).backbone is load_model(other).backbone


def test_an_architecture_of_ours(tmp_path):
    model = drawn()
    loaded = load_clip(encoder(tmp_path, model.state_dict()), WHERE)
    assert not loaded.training
    assert torch.equal(embedding(loaded), embedding(model))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights_compute_in_float32(tmp_path, dtype):
    model = drawn()
    half = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    loaded = load_clip(encoder(tmp_path, half), WHERE)
    assert {tensor.dtype for tensor in loaded.parameters()} == {torch.float32}
    model.load_state_dict({name: tensor.float() for name, tensor in half.items()})
    assert torch.equal(embedding(loaded), embedding(model))


def test_the_other_class_of_open_clip_takes_weights_of_both(tmp_path):
    plain, settings = drawn(), SMALL | {"custom_text": True}
    model = open_clip.CustomTextCLIP(**SMALL).eval()
    own = model.state_dict()
    assert "text.positional_embedding" in own
    loaded = load_clip(encoder(tmp_path, own, settings), WHERE)
    assert torch.equal(embedding(loaded), embedding(model))
    loaded = load_clip(encoder(tmp_path, plain.state_dict(), settings), WHERE)
    assert torch.equal(embedding(loaded), embedding(plain))


def test_a_scale_that_is_a_list_of_one(tmp_path):
    model = drawn()
    tensors = model.state_dict()
    load_clip(encoder(tmp_path, tensors | {"logit_scale": torch.ones(1)}), WHERE)


def test_a_model_that_open_clip_knows_by_name(tmp_path):
    torch.manual_seed(0)
    model = open_clip.create_model("ViT-S-32", load_weights=False).eval()
    settings = encoder(tmp_path, model.state_dict(), model="ViT-S-32")
    settings = settings.model_copy(update={"input": INPUT.model_copy(update={"side": 224})})
    ours = ClipEncoder(settings, WHERE, "cpu", 4)
    inputs = np.stack([ours.preprocess(decoded(scene(seed))) for seed in range(2)])
    with torch.inference_mode():
        theirs = model.encode_image(torch.from_numpy(inputs), normalize=True).numpy()
    assert ours.run(inputs).shape == (2, 384)
    assert np.abs(ours.run(inputs) - theirs).max() < 1e-3
    check_dimensions(settings, 384, WHERE)
    with pytest.raises(WeightsError, match=r"clip\.yaml: dimensions: 256, but ViT-S-32 gives 384"):
        check_dimensions(settings, 256, WHERE)


def test_quick_gelu_is_another_model(tmp_path):
    model = drawn(quick_gelu=True)
    tensors = model.state_dict()
    plain = load_clip(encoder(tmp_path, tensors), WHERE)
    quick = load_clip(encoder(tmp_path, tensors, SMALL | {"quick_gelu": True}), WHERE)
    assert torch.equal(embedding(quick), embedding(model))
    assert not torch.allclose(embedding(plain), embedding(model))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ViT-L-14-quikgelu", r"no model 'ViT-L-14-quikgelu' \(did you mean 'ViT-L-14-quickgelu'"),
        ("xlm-roberta-base-ViT-B-32", "is no plain CLIP: its text tower comes from the hub"),
        ("coca_ViT-B-32", "or it writes captions"),
    ],
)
def test_a_name_that_is_no_plain_model_is_refused(tmp_path, name, message):
    with pytest.raises(WeightsError, match=message):
        load_clip(encoder(tmp_path, {"a": torch.zeros(1)}, model=name), WHERE)


def test_a_json_of_something_else_is_refused(tmp_path):
    settings = encoder(tmp_path, {"a": torch.zeros(1)}, {"block_out_channels": [1]})
    with pytest.raises(WeightsError, match=r"encoder\.architecture: is no architecture"):
        load_clip(settings, WHERE)


def test_an_architecture_that_open_clip_does_not_build_is_said(tmp_path):
    settings = encoder(tmp_path, {"a": torch.zeros(1)}, SMALL | {"depth": 3})
    with pytest.raises(WeightsError, match=r"open_clip does not build .*clip\.json: .*depth"):
        load_clip(settings, WHERE)


def test_weights_of_another_model_are_said_in_one_line(tmp_path):
    tensors = drawn(embed_dim=24).state_dict()
    tensors["extra"] = torch.zeros(1)
    del tensors["ln_final.bias"], tensors["visual.conv1.weight"]
    with pytest.raises(WeightsError) as error:
        load_clip(encoder(tmp_path, tensors), WHERE)
    said = str(error.value)
    assert said.startswith(f"{WHERE}: encoder.weights: ")
    assert "missing: visual.conv1.weight, ln_final.bias; not the model's: extra; " in said
    assert "text_projection [64, 24] instead of [64, 16]" in said
    assert "correct encoder.architecture or encoder.weights" in said
    assert len(said) < 600 and "\n" not in said


def test_the_metrics_dimensions_are_the_models():
    clip = metric("clip").model_copy(update={"dimensions": 768})
    with pytest.raises(WeightsError, match=r"clip\.yaml: dimensions: 768, but .* gives 256"):
        load_model(clip)


def test_a_digest_is_checked_before_a_tensor_is_read(tmp_path):
    settings = encoder(tmp_path, drawn().state_dict())
    wrong = File(uri=settings.weights.uri, sha256="0" * 64, place="conf/metrics/clip.yaml:14")
    with pytest.raises(WeightsError, match=r"^conf/metrics/clip\.yaml:14: encoder\.weights: .*has"):
        load_clip(settings.model_copy(update={"weights": wrong}), WHERE)
