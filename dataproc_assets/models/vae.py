"""The autoencoder that turns pictures into a trainer's latents and back."""

import json

import torch
from diffusers import AutoencoderKL

from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.models.state import fill, open_tensors
from dataproc_assets.models.vae_names import with_names_of_diffusers
from dataproc_assets.models.weights import WeightsError, read_verified


class Vae:
    """A diffusers AutoencoderKL in float32: SDXL's overflows in float16."""

    def __init__(self, model: AutoencoderKL, config: VaeConfig, device: str) -> None:
        self.config = config
        torch.nn.Module.to(model.eval(), device)
        self._model = model
        self._device = device

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """The posterior's mean, unscaled, of float32 [n, 3, h, w] in [-1, 1].

        Returns float32 [n, channels, h / factor, w / factor] on the CPU. On a CPU each picture
        is encoded by itself, so that its latent does not depend on its neighbours; on a GPU let
        every batch have one shape.

        Raises:
            ValueError: a side is not a multiple of the factor.
        """
        if any(side % self.config.factor for side in pictures.shape[-2:]):
            raise ValueError(
                f"pictures of {pictures.shape[-1]}x{pictures.shape[-2]} pixels: both sides must "
                f"be multiples of {self.config.factor}"
            )
        return self._each(lambda x: self._model.encode(x).latent_dist.mode(), pictures)  # type: ignore[union-attr]

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures, float32 [n, 3, h, w] clamped to [-1, 1] on the CPU, of unscaled latents."""
        return self._each(lambda z: self._model.decode(z).sample.clamp(-1, 1), latents)  # type: ignore[union-attr]

    def _each(self, run, batch: torch.Tensor) -> torch.Tensor:
        blocks = batch.split(1) if self._device == "cpu" else [batch]
        with torch.inference_mode():
            return torch.cat([run(block.to(self._device)).float().cpu() for block in blocks])


def load_vae(config: VaeConfig, device: str = "cpu") -> Vae:
    """The autoencoder of a configuration, its files verified.

    Raises:
        WeightsError: a file is missing or has another digest, the architecture's channels or
            factor are not the configured ones, or the weights do not fit it.
    """
    yaml = f"conf/vaes/{config.name}.yaml"
    key, architecture = config.file("architecture")
    settings = json.loads(read_verified(architecture, f"{yaml}: {key}"))
    model = AutoencoderKL.from_config(settings)
    assert isinstance(model, AutoencoderKL)
    channels = model.config["latent_channels"]
    factor = 2 ** (len(model.config["block_out_channels"]) - 1)
    if (channels, factor) != (config.channels, config.factor):
        raise WeightsError(
            f"{yaml}: {architecture.uri} has {channels} channels and factor {factor}, "
            f"the YAML says {config.channels} and {config.factor}"
        )
    key, weights = config.file("weights")
    where = f"{yaml}: {key}"
    with open_tensors(weights, where) as tensors:
        reason = f"These are not the weights of {architecture.uri}: correct one of the two"
        fill(model, with_names_of_diffusers(tensors, settings), weights, where, reason)
    return Vae(model, config, device)
