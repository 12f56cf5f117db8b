"""Autoencoders of `conf/vaes/*.yaml`."""

from pydantic import Field

from dataproc_assets.config.base import Name, StrictModel
from dataproc_assets.config.weights import File


class VaeConfig(StrictModel):
    """A diffusers AutoencoderKL. Latents are stored unscaled; `scaling` is for the manifest."""

    name: Name
    architecture: File
    weights: File
    channels: int = Field(gt=0)
    factor: int = Field(gt=0)
    scaling: float = Field(gt=0)
    version: int = Field(ge=1)
