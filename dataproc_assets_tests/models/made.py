"""Small models made on the spot, with seeded random weights, and their configurations."""

import hashlib
import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
from safetensors.torch import save

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets_tests.models.pictures import METRIC

END_GAIN = 8.0
ARCHITECTURE, SIDE = "test_efficientnet", 64
RATINGS = ["general", "sensitive", "questionable", "explicit"]
ROWS = [
    *((9999999 - i, name, 9, 100 - i) for i, name in enumerate(RATINGS)),
    (470575, "1girl", 0, 90),
    (13197, "long_hair", 0, 80),
    (400000, ">_<", 0, 70),
    (400001, "^_^", 0, 60),
    (400002, "yes, master", 0, 50),
    (540830, 'say_"hi"', 0, 40),
    (5, "hatsune_miku", 4, 30),
    (6, "vocaloid", 3, 20),
    (7, "some_artist", 1, 10),
    (8, "highres", 5, 9),
]
CATEGORIES = {0: "general", 1: "artist", 3: "copyright", 4: "character", 5: "meta", 9: "rating"}
INPUT = {"side": SIDE, "resample": "bicubic", "mean": [127.5] * 3, "std": [127.5] * 3}
FLOORS = {"general": 0.2, "character": 0.2, "copyright": 0.2, "artist": 0.2, "meta": 0.2}
WHEN = {"on": "todo", "batch_size": 4, "version": 1, "seconds_per_image": 0.1, "decimals": 4}


def pinned(path: Path, content: bytes) -> dict[str, str]:
    """A file as YAML names it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"uri": str(path), "sha256": hashlib.sha256(content).hexdigest()}


def network(outputs: int, seed: int = 0, architecture: str = ARCHITECTURE) -> torch.nn.Module:
    """A timm network with random weights whose outputs differ from picture to picture."""
    torch.manual_seed(seed)
    model = timm.create_model(architecture, pretrained=False, num_classes=outputs).eval()
    last = model.get_classifier()  # type: ignore[operator]
    with torch.no_grad():
        last.weight.normal_(0, 20.0)
        last.bias.normal_(0, 1.0)
    return model


def tensors(
    path: Path, model: torch.nn.Module, dtype: torch.dtype = torch.float32, prefix: str = ""
) -> dict[str, str]:
    """The model's safetensors, the floats as `dtype`."""
    state = {
        f"{prefix}{name}": (t.to(dtype) if t.is_floating_point() else t).contiguous()
        for name, t in model.state_dict().items()
    }
    return pinned(path, save(state))


class Wrapped(torch.nn.Module):
    """A network as WD's ONNX files have it: NHWC, BGR 0..255 in, probabilities out."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x.permute(0, 3, 1, 2) / 127.5 - 1).sigmoid()


def onnx(path: Path, model: torch.nn.Module, shape: tuple[int, ...]) -> dict[str, str]:
    """The model exported for pictures of a shape, with any number of them at once."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter needs one more package
        torch.onnx.export(
            model.eval(),
            (torch.zeros(1, *shape),),
            file,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes={"x": {0: "n"}, "y": {0: "n"}},
        )
    return pinned(path, file.getvalue())


def csv_of(rows: list[tuple[int, str, int, int]], end: str = "\n") -> bytes:
    """A vocabulary as WD taggers ship it."""
    quoted = [
        (tag_id, '"' + name.replace('"', '""') + '"' if {",", '"'} & {*name} else name, *more)
        for tag_id, name, *more in rows
    ]
    lines = [("tag_id", "name", "category", "count"), *quoted]
    return "".join(",".join(map(str, line)) + end for line in lines).encode()


def timm_classifier(folder: Path, **update: Any) -> MetricConfig:
    """A classifier of three classes."""
    values = {
        **WHEN,
        "name": "aesthetic",
        "kind": "timm_classifier",
        "model": ARCHITECTURE,
        "input": INPUT,
        "classes": ["bad", "good", "best"],
        "output": "softmax",
        **update,
    }
    values.setdefault("weights", tensors(folder / "aesthetic.safetensors", network(3)))
    return METRIC.validate_python(values)


def tagger(folder: Path, backend: str, **update: Any) -> MetricConfig:
    """A WD-shaped tagger; both backends have the same network."""
    model = network(len(ROWS))
    own: Mapping[str, Any]
    if backend == "timm":
        own = {
            "model": ARCHITECTURE,
            "weights": tensors(folder / "wd.safetensors", model),
            "input": {**INPUT, "fit": "pad", "channels": "bgr"},
            "output": "logits",
        }
    else:
        own = {
            "weights": onnx(folder / "wd.onnx", Wrapped(model), (SIDE, SIDE, 3)),
            "input": {
                "side": SIDE,
                "fit": "pad",
                "resample": "bicubic",
                "channels": "bgr",
                "layout": "nhwc",
                "mean": [0.0, 0.0, 0.0],
            },
            "output": "probabilities",
        }
    values = {
        **WHEN,
        "name": "tagger",
        "kind": "tagger",
        "backend": backend,
        "selected_tags": pinned(folder / "selected_tags.csv", csv_of(ROWS)),
        "floors": FLOORS,
        "ratings": RATINGS,
        **own,
        **update,
    }
    return METRIC.validate_python(values)


def coca_architecture() -> dict[str, Any]:
    """The arguments of a tiny CoCa with CLIP's vocabulary and 12 positions."""
    text = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
    return {
        "embed_dim": 16,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
            "attentional_pool": True,
            "attn_pooler_heads": 2,
            "output_tokens": True,
        },
        "text_cfg": {**text, "embed_cls": True, "output_tokens": True},
        "multimodal_cfg": {**text, "attn_pooler_heads": 2},
    }


def coca(seed: int = 0) -> open_clip.CoCa:
    """Random weights, large enough that texts differ from picture to picture, and that some end."""
    torch.manual_seed(seed)
    model = open_clip.CoCa(**coca_architecture()).eval()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            tensor.normal_(1.0 if ".ln_" in name and name.endswith("weight") else 0.0, 0.3)
        model.text_decoder.text_projection[:, 49407] *= END_GAIN
    return model


def coca_captioner(folder: Path, **update: Any) -> MetricConfig:
    """A captioner that writes 2 to 8 tokens."""
    encoder = {
        "architecture": pinned(
            folder / "coca.json", json.dumps({**coca_architecture(), "custom_text": True}).encode()
        ),
        "weights": tensors(folder / "coca.safetensors", coca()),
        "input": {"side": 32, "mean": [127.5] * 3, "std": [127.5] * 3},
    }
    values = {
        **WHEN,
        "name": "caption",
        "kind": "coca_captioner",
        "encoder": {**encoder, **update.pop("encoder", {})},
        "min_tokens": 2,
        "max_tokens": 8,
        **update,
    }
    return METRIC.validate_python(values)
