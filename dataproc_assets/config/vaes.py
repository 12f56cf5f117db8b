"""Autoencoders of `conf/vaes/*.yaml`."""

from typing import Literal

from pydantic import Field, model_validator

from dataproc_assets.config.base import Name, StrictModel
from dataproc_assets.config.metric_base import Precision
from dataproc_assets.config.weights import File, Folder


class VaeConfig(StrictModel):
    """A diffusers AutoencoderKL. Latents are stored unscaled; `scaling` is for the manifest.

    It comes as a `folder` of diffusers, or as an `architecture` (a config.json of diffusers) and
    `weights`, whose names may be those of diffusers or of the original LDM: then a whole
    checkpoint will do, of which the autoencoder alone is read.

    `precision` is of a GPU that computes with it; elsewhere it is float32. `latent` is the
    posterior's mean, or a sample of it whose noise is a draw by `seed`, the image's hash and its
    bucket. Where the runner compiles, a process does so for the `compile_buckets` buckets that
    most of its images are in: each takes a minute or more.
    """

    name: Name
    folder: Folder | None = None
    architecture: File | None = None
    weights: File | None = None
    channels: int = Field(gt=0)
    factor: int = Field(gt=0)
    scaling: float = Field(gt=0)
    precision: Precision = "float32"
    latent: Literal["mean", "sample"] = "mean"
    seed: int = Field(0, ge=0)
    compile_buckets: int = Field(0, ge=0)
    version: int = Field(ge=1)

    @model_validator(mode="after")
    def _has_one_form(self) -> "VaeConfig":
        given = [self.architecture is not None, self.weights is not None]
        if any(given) if self.folder is not None else not all(given):
            raise ValueError("give either a folder, or architecture and weights")
        return self

    def file(self, part: str) -> tuple[str, File]:
        """The `architecture` or the `weights`, and the key that says where they lie."""
        if self.folder is not None:
            return "folder", self.folder.files()[part]
        return part, getattr(self, part)
