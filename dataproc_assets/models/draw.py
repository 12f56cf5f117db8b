"""Drawing with a reference denoiser: its file, and the way from noise to pictures."""

import json
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from dataproc_assets.config.denoiser import DenoiserConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.models.denoiser import Denoiser, shifted
from dataproc_assets.models.noise import noise
from dataproc_assets.models.prompt_words import prompt_words
from dataproc_assets.models.vae import Vae

MOST_HEADER = 1 << 20  # bytes of a safetensors file's header
CAUSE = 200  # characters of what is told of a file that is not one


@dataclass(frozen=True)
class About:
    """What the weights are of: the release, its recipe, the VAE, and how they were trained."""

    release: str
    recipe: str
    channels: int
    denoiser: DenoiserConfig
    vae: VaeConfig


def to_file(model: Denoiser, about: About) -> bytes:
    """The weights as safetensors, with what they are of in the header."""
    told = {
        "release": about.release,
        "recipe": about.recipe,
        "channels": about.channels,
        "denoiser": about.denoiser.model_dump(mode="json"),
        "vae": about.vae.model_dump(mode="json"),
    }
    state = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    return save_tensors(state, {"about": json.dumps(told, sort_keys=True)})


def from_file(data: bytes, where: str) -> tuple[Denoiser, About]:
    """The model of `to_file`'s bytes, for use on the CPU.

    Raises ValueError where they are of another form; `where` is told.
    """
    try:
        told = _header(data)
        about = About(
            told["release"],
            told["recipe"],
            told["channels"],
            DenoiserConfig.model_validate(told["denoiser"]),
            VaeConfig.model_validate(told["vae"]),
        )
        model = Denoiser(about.denoiser, about.channels)
        model.load_state_dict(load_tensors(data), strict=True)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        cause = shorten(str(error), CAUSE)  # some have many lines
        raise ValueError(
            f"{where}: is no denoiser of this version ({cause}); make the asset `denoiser` again"
        ) from error
    return model.eval(), about


def _header(data: bytes) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    if not 0 < size <= min(MOST_HEADER, len(data) - 8):
        raise ValueError("there is no header")
    return json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["about"])


def drawn_latents(
    model: Denoiser, noisy: torch.Tensor, words: torch.Tensor, guidance: float, steps: int
) -> torch.Tensor:
    """Unscaled latents at the end of the way from noise, in Euler's steps.

    Args:
        noisy: standard normal [n, channels, height, width].
        words: [n, words], as of `prompt_words`.
        guidance: 0 draws without the prompts.
    """
    times = shifted(torch.linspace(1, 0, steps + 1), model.config.shift)
    with torch.inference_mode():
        for now, then in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
            time = noisy.new_full((len(noisy),), now)
            noisy = noisy + (then - now) * model.velocity(noisy, time, words, guidance)
        return model.latents(noisy)


def draw(
    model: Denoiser,
    vae: Vae,
    prompt: str,
    *,
    size: tuple[int, int],
    guidance: float,
    steps: int,
    seed: int,
) -> np.ndarray:
    """A picture, uint8 [height, width, 3]; prompt and seed alone decide it.

    Raises ValueError where the sides, in pixels, are no multiples of `side_step`.
    """
    width, height = size
    step = side_step(model, vae)
    if min(size) < step or width % step or height % step:
        raise ValueError(f"{width}x{height}: both sides must be multiples of {step} pixels")
    factor = vae.config.factor
    shape = (1, model.channels, height // factor, width // factor)
    words = torch.from_numpy(prompt_words([prompt], model.config.words))
    latents = drawn_latents(model, noise(shape, "draw", seed), words, guidance, steps)
    return to_pixels(vae.decode(latents))[0]


def side_step(model: Denoiser, vae: Vae) -> int:
    """What the sides of a picture are multiples of, in pixels."""
    return vae.config.factor * model.config.patch


def to_pixels(signed: torch.Tensor) -> np.ndarray:
    """uint8 [n, height, width, 3] of pictures float32 [n, 3, height, width] in [-1, 1]."""
    scaled = ((signed.permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).numpy()
