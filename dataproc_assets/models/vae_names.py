"""What the tensors of an autoencoder are called: by diffusers, by its older self, and by LDM."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

_WHOLE = "first_stage_model."  # the autoencoder's part of a whole checkpoint
_OWN = ("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")
_OLD = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def with_names_of_diffusers(
    tensors: Mapping[str, torch.Tensor], architecture: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """An autoencoder's tensors under the names that diffusers gives them today.

    Taken are diffusers' own names, those of its attention before 2023, and LDM's, alone or in a
    whole checkpoint, of which the other models and the training's loss are left out.
    `architecture` is diffusers' config.json.
    """
    if any(name.startswith(_WHOLE) for name in tensors):
        tensors = {
            name.removeprefix(_WHOLE): tensor
            for name, tensor in tensors.items()
            if name.startswith(_WHOLE)
        }
    if any(name.startswith("encoder.down.") for name in tensors):
        own = {name: tensor for name, tensor in tensors.items() if name.startswith(_OWN)}
        return convert_ldm_vae_checkpoint(own, architecture)
    return {_renewed(name): _flat(name, tensor) for name, tensor in tensors.items()}


def _renewed(name: str) -> str:
    if ".attentions." in name:
        for old, new in _OLD.items():
            name = name.replace(old, new)
    return name


def _flat(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """The tensor, an attention's matrix without the two sides of a 1x1 convolution."""
    if ".attentions." in name and tensor.ndim == 4:
        return tensor[:, :, 0, 0]
    return tensor
