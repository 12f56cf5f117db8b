"""What the encoding of latents is told, and the name of the folder that its parts go to."""

import hashlib
import json

from pydantic import Field

from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.passes import DECODE_VERSION
from dataproc_assets.config.runners import DecodeConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.workers import PlaceConfig

ENCODE_VERSION = 2  # raise it when a change of the job's code changes latents


class EncodeConfig(PlaceConfig):
    """One run of the encoding over unit files.

    With `compile`, so many buckets as the VAE says go through torch.compile; the others run as
    they are.
    """

    storage: str = Field(min_length=1)
    vae: VaeConfig
    decode: DecodeConfig
    batch_size: int = Field(ge=1)
    sample_share: float = Field(ge=0, le=1)


def latent_fingerprint(vae: VaeConfig, decode: DecodeConfig) -> str:
    """16 hex digits: the VAE's fingerprint, and what decoding and cutting do to every picture."""
    values = [fingerprint(vae), decode.background, DECODE_VERSION, ENCODE_VERSION]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
