"""A timm network as a backbone: pictures in, logits out."""

import difflib
from typing import Any

import numpy as np
import timm
import torch

from dataproc_assets.config.encoders import ImageInput
from dataproc_assets.config.metric_base import ModelArgs, Precision
from dataproc_assets.config.weights import File
from dataproc_assets.models.base import DecodedImage, in_fixed_batches
from dataproc_assets.models.images import to_input
from dataproc_assets.models.state import load_float32
from dataproc_assets.models.torch_run import forward_of
from dataproc_assets.models.weights import WeightsError


class TimmBackbone:
    """Runs the network. On a CPU one picture at a time, on a GPU in fixed batches.

    Raises:
        WeightsError: timm has no such model, or does not build it with these arguments; the file
            cannot be used or does not fit; the model does not take such an input.
    """

    def __init__(
        self,
        architecture: str,
        args: ModelArgs,
        weights: File,
        shown: ImageInput,
        where: str,
        *,
        outputs: int,
        device: str,
        batch_size: int,
        precision: Precision = "float32",
        compiled: bool = False,
    ) -> None:
        self._input = shown
        self._batch_size = 1 if device == "cpu" else batch_size
        model = _build(architecture, args, outputs, where)
        load_float32(model, weights, f"{where}: weights")
        self._network = forward_of(model.to(device), device, precision, compiled=compiled)
        self._try_once(where, outputs)

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """float32 [3, side, side]."""
        return to_input(image.image, self._input)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float32 [n, outputs]."""
        return in_fixed_batches(self._forward, batch, self._batch_size)

    def _forward(self, block: np.ndarray) -> np.ndarray:
        return self._network(block).cpu().numpy()

    def _try_once(self, where: str, outputs: int) -> None:
        """Raise WeightsError unless one picture gives a row of so many outputs."""
        if self._input.layout != "nchw":
            raise WeightsError(f"{where}: input.layout is nhwc; timm's models take nchw")
        side = self._input.side
        try:
            shape = self.run(np.zeros((1, 3, side, side), np.float32)).shape
        except (AssertionError, RuntimeError) as error:
            raise WeightsError(
                f"{where}: the model does not take pictures of {side}x{side}; correct input.side, "
                f"or build it for them with `model_args: {{img_size: {side}}}` ({error})"
            ) from error
        if shape != (1, outputs):
            raise WeightsError(f"{where}: the model gives {shape[1:]} a picture, not {outputs}")


def _build(architecture: str, args: ModelArgs, outputs: int, where: str) -> torch.nn.Module:
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else "; `timm.list_models()` names all"
        raise WeightsError(f"{where}: timm has no model {architecture!r}{hint}")
    arguments: dict[str, Any] = {**args, "num_classes": outputs}
    try:
        return timm.create_model(architecture, pretrained=False, **arguments)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{where}: timm does not build {architecture} with model_args {args}: {error}"
        ) from error
