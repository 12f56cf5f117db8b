"""Models with weights from a fixed seed, in every form that a configuration can name."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file

from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.weights import File, Folder

SMALL_VAE: dict[str, Any] = {
    "act_fn": "silu",
    "block_out_channels": [8, 16],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "sample_size": 32,
    "scaling_factor": 0.5,
}


def pinned(path: Path) -> File:
    """A file by its path and digest."""
    return File(uri=str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def drawn_vae(settings: Mapping[str, Any], seed: int = 0) -> AutoencoderKL:
    """An autoencoder whose every tensor is drawn, the norms' too."""
    torch.manual_seed(seed)
    model = AutoencoderKL.from_config(dict(settings))
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "norm" in name or name.endswith("bias"):
                tensor.add_(0.1 * torch.randn_like(tensor))
    return model.eval()


def ldm_names(model: AutoencoderKL) -> dict[str, torch.Tensor]:
    """A model's tensors as the LDM code names and shapes them; after its own documentation."""
    blocks = len(model.config["block_out_channels"])
    tensors = {}
    for name, tensor in model.state_dict().items():
        parts = name.split(".")
        if parts[1:3] == ["mid_block", "attentions"]:
            words = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v"}
            word = words.get(parts[4], "proj_out")
            parts = [parts[0], "mid", "attn_1", word, parts[-1]]
            tensor = tensor if word == "norm" or tensor.ndim == 1 else tensor[:, :, None, None]
        elif parts[1:3] == ["mid_block", "resnets"]:
            parts = [parts[0], "mid", f"block_{int(parts[3]) + 1}", *parts[4:]]
        elif parts[1] == "down_blocks":
            parts = [parts[0], "down", parts[2], *parts[3:]]
        elif parts[1] == "up_blocks":
            parts = [parts[0], "up", str(blocks - 1 - int(parts[2])), *parts[3:]]
        words = {"resnets": "block", "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out"}
        parts = [words.get(part, part) for part in parts]
        for word in ("downsample", "upsample"):
            if f"{word}rs" in parts:  # downsamplers.0.conv is downsample.conv
                at = parts.index(f"{word}rs")
                parts[at : at + 2] = [word]
        tensors[".".join(parts)] = tensor.contiguous()
    return tensors


def old_names(model: AutoencoderKL) -> dict[str, torch.Tensor]:
    """A model's tensors as diffusers named them before 2023."""
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, tensor in model.state_dict().items():
        for new, word in old.items():
            if ".attentions." in name:
                name = name.replace(f".{new}.", f".{word}.")
        tensors[name] = tensor
    return tensors


def vae_file(
    folder: Path, settings: Mapping[str, Any], tensors: dict[str, torch.Tensor], name: str = "drawn"
) -> VaeConfig:
    """The configuration of an architecture and a single file."""
    folder.mkdir(exist_ok=True)
    (folder / "vae.json").write_text(json.dumps(settings))
    save_file(tensors, folder / "vae.safetensors")
    return vae_config(
        settings,
        name=name,
        architecture=pinned(folder / "vae.json"),
        weights=pinned(folder / "vae.safetensors"),
    )


def vae_folder(folder: Path, settings: Mapping[str, Any], name: str = "drawn") -> VaeConfig:
    """The configuration of a folder in the layout of diffusers, as it lies there."""
    names = ("config.json", "diffusion_pytorch_model.safetensors")
    digests = {one: str(pinned(folder / one).sha256) for one in names}
    return vae_config(settings, name=name, folder=Folder(uri=str(folder), sha256=digests))


def vae_config(settings: Mapping[str, Any], **form: Any) -> VaeConfig:
    """A configuration of an architecture, in whatever form."""
    return VaeConfig(
        channels=settings["latent_channels"],
        factor=2 ** (len(settings["block_out_channels"]) - 1),
        scaling=1.0,
        version=1,
        **form,
    )
