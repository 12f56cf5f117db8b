"""Score heads on embeddings of the packaged encoder's width."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import nn

from dataproc_assets.config.metrics import OpenClip
from dataproc_assets.models.heads import clip_reading
from dataproc_assets.models.weights import WeightsError
from dataproc_assets_tests.models.made import pinned
from dataproc_assets_tests.models.pictures import METRIC, metric

WIDTH = 256
WHERE = "conf/metrics/clip.yaml"
ENCODER = metric("clip").encoder.weights.sha256
MODULES = {"none": nn.Identity, "relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def embeddings(rows: int = 6) -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((rows, WIDTH))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float16)


def with_head(file: dict[str, str], **keys: Any) -> OpenClip:
    values = metric("clip").model_dump() | {"heads": {"score": {**file, **keys}}, "decimals": 6}
    return METRIC.validate_python(values)


def saved(path: Path, state: dict[str, torch.Tensor], encoder: str | None = ENCODER):
    return pinned(path, save(state, {"encoder": encoder} if encoder else None))


def scores(config: OpenClip, rows: np.ndarray) -> np.ndarray:
    return clip_reading(config, WHERE)(rows)["clip_score"].to_numpy()


def sequential(activation: str) -> nn.Sequential:
    """As LAION's aesthetic predictor: dropouts take numbers and have no tensors."""
    torch.manual_seed(1)
    between = MODULES[activation]
    layers: list[nn.Module] = []
    for wide, narrow in ((WIDTH, 32), (32, 16), (16, 8), (8, 8)):
        layers += [nn.Linear(wide, narrow), between(), nn.Dropout(0.2)]
    return nn.Sequential(*layers, nn.Linear(8, 1)).eval()


@pytest.mark.parametrize("activation", MODULES)
@pytest.mark.parametrize("output", ["none", "sigmoid"])
@pytest.mark.parametrize("prefix", ["", "layers."])
def test_an_mlp_gives_what_torch_gives(tmp_path, activation, output, prefix):
    model = sequential(activation)
    state = {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}
    assert f"{prefix}12.weight" in state  # by number it is the last; by name it would be second
    config = with_head(
        saved(tmp_path / "h.safetensors", state), kind="mlp", activation=activation, output=output
    )
    with torch.inference_mode():
        expected = model(torch.from_numpy(embeddings().astype(np.float32)))[:, 0]
        expected = expected.sigmoid() if output == "sigmoid" else expected
    assert scores(config, embeddings()) == pytest.approx(expected.numpy(), abs=2e-6)


def test_activations_tell_themselves_apart(tmp_path):
    file = saved(tmp_path / "h.safetensors", sequential("relu").state_dict())
    found = [scores(with_head(file, kind="mlp", activation=a), embeddings()) for a in MODULES]
    assert all((a != b).any() for i, a in enumerate(found) for b in found[:i])


def test_a_row_is_the_same_bits_in_any_company(tmp_path):
    file = saved(tmp_path / "h.safetensors", sequential("gelu").state_dict())
    read = clip_reading(with_head(file, kind="mlp", activation="gelu"), WHERE)
    rows = embeddings(7)
    alone = np.concatenate([read(row[None])["clip_score"].to_numpy() for row in rows])
    assert (read(rows)["clip_score"].to_numpy() == alone).all()
    assert (read(rows[::-1])["clip_score"].to_numpy() == alone[::-1]).all()


def test_a_linear_head_is_the_default_and_its_short_yaml_is_enough(tmp_path):
    weight, bias = torch.randn(1, WIDTH), torch.randn(1)
    file = saved(tmp_path / "h.safetensors", {"weight": weight, "bias": bias})
    expected = embeddings().astype(np.float64) @ weight[0].double().numpy() + bias.item()
    assert scores(with_head(file), embeddings()) == pytest.approx(expected, abs=1e-5)
    squeezed = scores(with_head(file, output="sigmoid"), embeddings())
    assert squeezed == pytest.approx(1 / (1 + np.exp(-expected)), abs=1e-5)


def test_half_precision_is_computed_in_single(tmp_path):
    state = sequential("none").half().state_dict()
    file = saved(tmp_path / "half.safetensors", state)
    whole = saved(tmp_path / "whole.safetensors", {name: t.float() for name, t in state.items()})
    one, two = (scores(with_head(each, kind="mlp"), embeddings()) for each in (file, whole))
    assert (one == two).all()


def of(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {name.replace("_", "."): torch.ones(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("kind", "state", "said"),
    [
        ("linear", of(weight=(1, 99), bias=(1,)), r"weight has the shape \[1, 99\]"),
        ("linear", of(weight=(3, WIDTH), bias=(3,)), r"weight has the shape \[3, 256\]"),
        ("linear", of(weight=(), bias=(1,)), r"weight has the shape \[\]"),
        ("linear", of(weight=(1, WIDTH), bias=(1, 1)), r"bias of weight has the shape \[1, 1\]"),
        ("linear", of(weight=(1, WIDTH)), "the tensor bias is missing"),
        ("linear", sequential("none").state_dict(), "0.bias is one that such a head has not"),
        ("mlp", of(weight=(1, WIDTH), bias=(1,)), "the tensor bias is none of an mlp"),
        (
            "mlp",
            of(_0_weight=(8, WIDTH), _0_bias=(8,), _1_weight=(1, 9), _1_bias=(1,)),
            r"1\.weight has the shape \[1, 9\]; its place asks for 1 by 8",
        ),
        ("mlp", of(_0_weight=(8, WIDTH), _0_bias=(8,)), r"0\.weight has the shape \[8, 256\]"),
        ("mlp", of(_0_weight=(1, WIDTH)), r"0\.bias is missing"),
        ("mlp", of(a_0_weight=(1, WIDTH), b_0_bias=(1,)), "have one number"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path, kind, state, said):
    state = {name.lstrip("."): tensor for name, tensor in state.items()}
    config = with_head(saved(tmp_path / "h.safetensors", state), kind=kind)
    with pytest.raises(WeightsError, match=rf"clip\.yaml: heads\.score: .*{said}"):
        clip_reading(config, WHERE)


def test_a_head_must_say_its_encoder_or_the_yaml_that_it_does_not(tmp_path):
    state = of(weight=(1, WIDTH), bias=(1,))
    silent = saved(tmp_path / "silent.safetensors", state, None)
    with pytest.raises(WeightsError, match=r"does not say which encoder.*any_encoder: true"):
        clip_reading(with_head(silent), WHERE)
    assert len(scores(with_head(silent, any_encoder=True), embeddings())) == 6
    other = saved(tmp_path / "other.safetensors", state, "0" * 64)
    for keys in ({}, {"any_encoder": True}):
        with pytest.raises(WeightsError, match=r"made for the encoder 0{64}.*train it again"):
            clip_reading(with_head(other, **keys), WHERE)


def test_an_encoder_without_a_digest_cannot_be_the_heads_own(tmp_path):
    config = with_head(saved(tmp_path / "h.safetensors", of(weight=(1, WIDTH), bias=(1,))))
    weights = config.encoder.weights.model_copy(update={"sha256": None, "revision": "a" * 40})
    encoder = config.encoder.model_copy(update={"weights": weights})
    with pytest.raises(WeightsError, match=r"give encoder\.weights that sha256"):
        clip_reading(config.model_copy(update={"encoder": encoder}), WHERE)


def test_files_that_are_no_safetensors_of_numpys_are_refused(tmp_path):
    state = {"weight": torch.ones(1, WIDTH, dtype=torch.bfloat16), "bias": torch.ones(1)}
    with pytest.raises(WeightsError, match=r"heads\.score: .*BF16.*save its tensors in float16"):
        clip_reading(with_head(saved(tmp_path / "h.safetensors", state)), WHERE)
    renamed = pinned(tmp_path / "p.safetensors", pickle.dumps({"weight": [1.0]}))
    with pytest.raises(WeightsError, match=r"p\.safetensors is no safetensors file"):
        clip_reading(with_head(renamed), WHERE)
    pickled = pinned(tmp_path / "h.pth", pickle.dumps({"weight": [1.0]}))
    with pytest.raises(WeightsError, match="convert it to safetensors"):
        clip_reading(with_head(pickled), WHERE)
    changed = saved(tmp_path / "c.safetensors", of(weight=(1, WIDTH), bias=(1,)))
    with pytest.raises(WeightsError, match=r"expected 0{64}"):
        clip_reading(with_head({**changed, "sha256": "0" * 64}), WHERE)
