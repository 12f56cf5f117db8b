"""An open_clip model as a backbone: pictures in, unit embeddings out."""

import difflib
import json
from typing import Any

import numpy as np
import open_clip
import torch

from dataproc_assets.config.encoders import Encoder
from dataproc_assets.models.base import DecodedImage, in_fixed_batches
from dataproc_assets.models.images import to_input
from dataproc_assets.models.state import fill, open_tensors
from dataproc_assets.models.torch_run import forward_of
from dataproc_assets.models.weights import WeightsError, fault, read_verified

Clip = open_clip.CLIP | open_clip.CustomTextCLIP


def load_clip(encoder: Encoder, where: str) -> Clip:
    """The open_clip model of a configuration, in float32 and evaluation mode, on the CPU.

    Raises:
        WeightsError: a file is missing or another one, open_clip has no such model, or the
            weights do not fit it.
    """
    arguments = _arguments(encoder, where)
    kind = open_clip.CustomTextCLIP if arguments.pop("custom_text", False) else open_clip.CLIP
    try:
        model = kind(**arguments)
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{where}: encoder: open_clip does not build {_name(encoder)}: {error}"
        ) from error
    with open_tensors(encoder.weights, f"{where}: encoder.weights") as tensors:
        if "logit_scale" in tensors:  # a number in some checkpoints, a list of one in others
            tensors["logit_scale"] = tensors["logit_scale"].reshape(model.logit_scale.shape)
        if kind is open_clip.CustomTextCLIP:
            tensors = open_clip.model.convert_to_custom_text_state_dict(tensors)
        fill(
            model,
            tensors,
            encoder.weights,
            f"{where}: encoder.weights",
            f"These are not the weights of {_name(encoder)}: correct encoder."
            f"{'model' if encoder.model else 'architecture'} or encoder.weights",
        )
    return model


def embed_dim(encoder: Encoder, where: str) -> int:
    """The dimensions of the embeddings that an encoder's architecture gives."""
    return _arguments(encoder, where)["embed_dim"]


def check_dimensions(encoder: Encoder, dimensions: int, where: str) -> None:
    """Raise WeightsError unless an encoder's embeddings have so many dimensions."""
    given = embed_dim(encoder, where)
    if given != dimensions:
        raise WeightsError(
            f"{where}: dimensions: {dimensions}, but {_name(encoder)} gives {given}; correct "
            "dimensions, or the encoder"
        )


def _arguments(encoder: Encoder, where: str) -> dict[str, Any]:
    """What the model is made with. Nothing is fetched: neither weights nor configurations."""
    if encoder.architecture is not None:
        key = f"{where}: encoder.architecture"
        arguments = json.loads(read_verified(encoder.architecture, key))
        if not isinstance(arguments, dict) or "embed_dim" not in arguments:
            raise fault(encoder.architecture, key, "is no architecture: it has no embed_dim")
    else:
        arguments = _registered(str(encoder.model), f"{where}: encoder.model")
    if "timm_model_name" in arguments["vision_cfg"]:
        arguments["vision_cfg"]["timm_model_pretrained"] = False
    return arguments


def _registered(name: str, where: str) -> dict[str, Any]:
    """The arguments of a model that open_clip knows by name."""
    arguments = open_clip.get_model_config(name)
    if arguments is None:
        near = difflib.get_close_matches(name, open_clip.list_models(), n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise WeightsError(f"{where}: open_clip has no model '{name}'{hint}")
    if "hf_model_name" in arguments["text_cfg"] or "multimodal_cfg" in arguments:
        raise WeightsError(
            f"{where}: '{name}' is no plain CLIP: its text tower comes from the hub, or it "
            "writes captions; choose one like 'ViT-L-14'"
        )
    return arguments


def _name(encoder: Encoder) -> str:
    return encoder.model or (encoder.architecture.uri if encoder.architecture else "")


class ClipEncoder:
    """Embeds pictures. On a CPU one at a time: that is faster there than batches, and exact."""

    def __init__(
        self,
        encoder: Encoder,
        where: str,
        device: str,
        batch_size: int,
        *,
        compiled: bool = False,
    ) -> None:
        self._input = encoder.input
        network = load_clip(encoder, where).to(device).encode_image
        self._forward = forward_of(network, device, encoder.precision, compiled=compiled)
        self._batch_size = 1 if device == "cpu" else batch_size

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """float32 [3, side, side]."""
        return to_input(image.image, self._input)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float16 [n, dimensions] of unit norm; what metrics read is what is stored."""
        return in_fixed_batches(self._embed, batch, self._batch_size)

    def _embed(self, block: np.ndarray) -> np.ndarray:
        unit = torch.nn.functional.normalize(self._forward(block).double(), dim=-1)
        return unit.cpu().numpy().astype(np.float16)
