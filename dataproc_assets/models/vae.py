"""The autoencoder that turns pictures into a trainer's latents and back."""

import json
import time
from collections.abc import Callable, Collection

import numpy as np
import torch
from diffusers import AutoencoderKL

from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.models.pending import Pending, to_device
from dataproc_assets.models.state import fill, open_tensors
from dataproc_assets.models.torch_run import compiled_network, compute_dtype
from dataproc_assets.models.vae_names import with_names_of_diffusers
from dataproc_assets.models.weights import WeightsError, read_verified

Run = Callable[[torch.Tensor], torch.Tensor]
LOGVAR_LIMITS = (-30.0, 20.0)  # diffusers' own, of a posterior's logarithm of variance


class Vae:
    """A diffusers AutoencoderKL in `dtype`; float16 would overflow in SDXL's.

    On a CPU each picture is computed by itself, so that it does not depend on its neighbours; on
    a GPU let every batch have one shape. Pictures of the `compiled` sizes (width, height) are
    encoded by a compiled network. Memory is channels-last: twice as fast on a CPU, and what a
    GPU's convolutions want.
    """

    def __init__(
        self,
        model: AutoencoderKL,
        config: VaeConfig,
        device: str,
        dtype: torch.dtype = torch.float32,
        compiled: Collection[tuple[int, int]] = (),
    ) -> None:
        self.config = config
        model.eval()
        torch.nn.Module.to(model, device, dtype)
        torch.nn.Module.to(model, memory_format=torch.channels_last)
        self._model = model
        self._device = device
        self._dtype = dtype
        self._sizes = frozenset(compiled)
        self._fast = compiled_network(self._moments) if compiled else self._moments
        limit = torch._dynamo.config.recompile_limit if compiled else 0
        if len(self._sizes) > limit > 0:
            torch._dynamo.config.recompile_limit = len(self._sizes)

    def encode(self, pictures: torch.Tensor) -> torch.Tensor:
        """The posterior's mean, unscaled, of float32 [n, 3, h, w] in [-1, 1].

        Returns float32 [n, channels, h / factor, w / factor] on the CPU.

        Raises:
            ValueError: a side is not a multiple of the factor.
        """
        return self._posterior(pictures.to(self._device), None).cpu()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures, float32 [n, 3, h, w] clamped to [-1, 1] on the CPU, of unscaled latents."""
        return self._each(self._pictures, latents.to(self._device)).cpu()

    def start_encoding(
        self, pictures: list[np.ndarray], size: int, noise: list[np.ndarray] | None = None
    ) -> Pending:
        """Latents, float32 as of `encode`, of uint8 pictures [h, w, 3]; a GPU is not waited for.

        Args:
            size: rows of the batch that is computed; what pictures lack of it is padding.
            noise: standard normal float32 [channels, h / factor, w / factor] for each picture:
                a sample of the posterior in place of its mean.

        Raises:
            ValueError: a side is not a multiple of the factor.
        """
        started = time.monotonic()
        pixels = to_device(pictures, size, self._device).permute(0, 3, 1, 2)
        drawn = to_device(noise, size, self._device) if noise else None
        return Pending(self._posterior(pixels, drawn), len(pictures), started)

    def start_decoding(self, latents: list[torch.Tensor], size: int) -> Pending:
        """Pictures, uint8 [h, w, 3], of latents that are on the device; it is not waited for."""
        started = time.monotonic()
        stacked = torch.stack(latents)
        padding = stacked.new_zeros((max(0, size - len(latents)), *stacked.shape[1:]))
        signed = self._each(self._pictures, torch.cat([stacked, padding]))
        pixels = ((signed.permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255)
        return Pending(pixels.to(torch.uint8).contiguous(), len(latents), started)

    def _posterior(self, pictures: torch.Tensor, noise: torch.Tensor | None) -> torch.Tensor:
        height, width = pictures.shape[-2:]
        if width % self.config.factor or height % self.config.factor:
            raise ValueError(
                f"pictures of {width}x{height} pixels: both sides must be multiples of "
                f"{self.config.factor}"
            )
        run = self._fast if (width, height) in self._sizes else self._moments
        mean, logvar = self._each(run, pictures).chunk(2, dim=1)
        if noise is None:
            return mean.contiguous()
        return (mean + torch.exp(0.5 * logvar.clamp(*LOGVAR_LIMITS)) * noise).contiguous()

    def _moments(self, pictures: torch.Tensor) -> torch.Tensor:
        """Mean and logarithm of variance, float32, of signed floats or of bytes."""
        if pictures.dtype == torch.uint8:
            pictures = pictures.float() / 127.5 - 1.0
        ready = pictures.to(self._dtype, memory_format=torch.channels_last)
        hidden = self._model.encoder(ready)
        if self._model.quant_conv is not None:
            hidden = self._model.quant_conv(hidden)
        return hidden.float()

    def _pictures(self, latents: torch.Tensor) -> torch.Tensor:
        ready = latents.to(self._dtype, memory_format=torch.channels_last)
        return self._model.decode(ready).sample.clamp(-1, 1).float()  # type: ignore[union-attr]

    def _each(self, run: Run, batch: torch.Tensor) -> torch.Tensor:
        blocks = batch.split(1) if self._device == "cpu" else [batch]
        with torch.inference_mode():
            return torch.cat([run(block) for block in blocks])


def load_vae(
    config: VaeConfig, device: str = "cpu", compiled: Collection[tuple[int, int]] = ()
) -> Vae:
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
    return Vae(model, config, device, compute_dtype(device, config.precision), compiled)
