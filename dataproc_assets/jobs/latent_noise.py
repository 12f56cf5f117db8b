"""The noise of a latent that is a sample of its posterior: a draw by hash."""

import hashlib

import numpy as np

from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.jobs.latent_rows import Request


def normal_noise(request: Request, vae: VaeConfig) -> np.ndarray | None:
    """Standard normal float32 [channels, height / factor, width / factor]; None for the mean.

    Seed, image and bucket alone decide it, so that it is the same in every batch and run.
    """
    if vae.latent == "mean":
        return None
    width, height = request.bucket
    shape = (vae.channels, height // vae.factor, width // vae.factor)
    pairs = (int(np.prod(shape)) + 1) // 2
    text = f"latent noise/{vae.seed}/{request.sha256}/{width}x{height}"
    bits = np.frombuffer(hashlib.shake_256(text.encode()).digest(8 * pairs), "<u4")
    uniform = (bits.astype(np.float64) + 0.5) / 2**32
    radius, angle = np.sqrt(-2 * np.log(uniform[:pairs])), 2 * np.pi * uniform[pairs:]
    normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    return normal[: np.prod(shape)].reshape(shape).astype(np.float32)
