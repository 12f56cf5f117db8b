"""Score heads: linear layers, and small networks, on an embedding."""

import re
from collections.abc import Callable

import numpy as np
import polars as pl
from scipy.special import erf

from dataproc_assets.config.metrics import OpenClip
from dataproc_assets.models.base import Reading
from dataproc_assets.models.outputs import rows_by, sigmoid
from dataproc_assets.models.tensors import tensors_for
from dataproc_assets.models.weights import WeightsError

Layer = tuple[np.ndarray, np.ndarray]
Function = Callable[[np.ndarray], np.ndarray]
_NUMBERED = re.compile(r"(?P<layer>(?:.*\.)?(?P<number>\d+))\.(?:weight|bias)")
_ACTIVATIONS: dict[str, Function] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, np.float32(0)),
    "gelu": lambda x: x * (1 + erf(x / np.sqrt(np.float32(2)))) / 2,
    "silu": lambda x: x * sigmoid(x).astype(np.float32),
}


def clip_reading(metric: OpenClip, where: str) -> Reading:
    """The embedding, and each head's number, rounded.

    Raises:
        WeightsError: a head's file cannot be used, or its tensors are not those of such a head.
    """
    heads = {name: _score(metric, name, where) for name in metric.heads}

    def read(embeddings: np.ndarray) -> pl.DataFrame:
        columns = {f"{metric.name}_embedding": embeddings}
        for name, score in heads.items():
            columns[f"{metric.name}_{name}"] = score(embeddings).round(metric.decimals)
        return pl.DataFrame(columns)

    return read


def _score(metric: OpenClip, name: str, where: str) -> Function:
    """One float32 a row, of embeddings [n, dimensions]."""
    head, where = metric.heads[name], f"{where}: heads.{name}"
    tensors = tensors_for(head, metric.encoder.weights, where, any_encoder=head.any_encoder)
    names = ["weight"] if head.kind == "linear" else _layers(tensors, where)
    layers = _checked(tensors, names, metric.dimensions, where)
    activation = _ACTIVATIONS[head.activation]

    def score(embeddings: np.ndarray) -> np.ndarray:
        x = embeddings.astype(np.float32)
        for number, (weight, bias) in enumerate(layers):
            x = rows_by(weight, activation(x) if number else x) + bias
        return sigmoid(x[:, 0]).astype(np.float32) if head.output == "sigmoid" else x[:, 0]

    return score


def _layers(tensors: dict[str, np.ndarray], where: str) -> list[str]:
    """The names of a Sequential's weights, in the order of their numbers."""
    found: dict[int, str] = {}
    for name in sorted(tensors):
        match = _NUMBERED.fullmatch(name)
        if match is None:
            raise WeightsError(
                f"{where}: the tensor {name} is none of an mlp, which has `0.weight`, `0.bias`, "
                "`2.weight`, … as torch's Sequential saves them"
            )
        number, weight = int(match["number"]), f"{match['layer']}.weight"
        if found.setdefault(number, weight) != weight:
            raise WeightsError(f"{where}: {found[number]} and {weight} have one number")
    return [found[number] for number in sorted(found)]


def _checked(
    tensors: dict[str, np.ndarray], names: list[str], width: int, where: str
) -> list[Layer]:
    """Weights and biases in order, from `width` numbers down to one.

    Raises:
        WeightsError: one is missing, one too many, or one does not fit the one before it.
    """
    layers: list[Layer] = []
    wanted = [name for weight in names for name in (weight, weight[: -len("weight")] + "bias")]
    for name in sorted({*wanted} ^ {*tensors}):
        fault = "is missing" if name in wanted else "is one that such a head has not"
        raise WeightsError(f"{where}: the tensor {name} {fault}; there are {', '.join(tensors)}")
    for name, last in ((name, name == names[-1]) for name in names):
        weight, bias = (tensors[one] for one in (name, name[: -len("weight")] + "bias"))
        height = 1 if last or weight.ndim == 0 else weight.shape[0]
        if weight.shape != (height, width):
            rows = "1" if last else "any number"
            raise WeightsError(
                f"{where}: the tensor {name} has the shape {list(weight.shape)}; its place asks "
                f"for {rows} by {width}"
            )
        if bias.shape != (height,):
            raise WeightsError(
                f"{where}: the bias of {name} has the shape {list(bias.shape)}, not [{height}]"
            )
        layers.append((weight, bias))
        width = height
    return layers
