"""The reference denoiser that a release's latents and prompts are proven with."""

import hashlib
import json
from typing import Annotated, Self

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.fingerprint import fingerprint
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.workers import PlaceConfig

TRAIN_VERSION = 1  # raise it when a change of the job's code changes what is measured or drawn

Count = Annotated[int, Field(ge=1)]
Above = Annotated[float, Field(gt=0)]


class DenoiserConfig(StrictModel):
    """A small transformer over patches of latents, and what of a prompt it is told.

    Attributes:
        held_out: the split that the kept model never sees; it is the first of the folds.
        folds: as many models are trained, each measured on the images that it never saw.
        images_max: the most images that are held in memory; which ones is a draw by hash.
        steps, batch_size, learning_rate, weight_decay: of the training, with AdamW.
        average: of the weights over the steps; the averages are what is measured and kept.
        patch: the side of a patch, in positions of the latent; it divides the sides of all.
        width, depth, heads: of the transformer.
        words: entries of the table that the tags of a prompt are hashed into.
        grid: cells a side of what is foretold from a prompt.
        ridge: how strongly that is held back; the more, the less a prompt decides.
        shift: how much more of the times lie near the noise than near the image.
        draws: noises and times that each held-out latent is measured at.
        shuffles: trainings with the prompts dealt to other images.
        z_min: standard errors by which the true prompts must beat the shuffled ones.
        samples: images that are drawn from held-out prompts.
        sample_steps: steps of the path from noise to an image.
        guidance: how far a guided sample goes beyond one without a prompt; 1 is the prompt alone.
    """

    held_out: str
    folds: Annotated[int, Field(ge=2)]
    images_max: Annotated[int, Field(ge=2)]
    steps: Count
    batch_size: Count
    learning_rate: Above
    weight_decay: Annotated[float, Field(ge=0)]
    average: Annotated[float, Field(ge=0, lt=1)]
    patch: Count
    width: Count
    depth: Count
    heads: Count
    words: Count
    grid: Count
    ridge: Above
    shift: Above
    draws: Count
    shuffles: Annotated[int, Field(ge=1, le=1000)]
    z_min: Annotated[float, Field(ge=0)]
    samples: Annotated[int, Field(ge=0)]
    sample_steps: Count
    guidance: Annotated[float, Field(ge=0)]
    seed: int

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        return self


class TrainConfig(PlaceConfig):
    """One run of the training over unit files, a unit a fold.

    `parts` is the folder of what the folds give, below the root `storage`; `release` and `recipe`
    are told by the weights' file alone.
    """

    storage: str = Field(min_length=1)
    parts: str = Field(min_length=1)
    release: str
    recipe: str
    denoiser: DenoiserConfig
    vae: VaeConfig


def denoiser_fingerprint(config: DenoiserConfig, vae: VaeConfig) -> str:
    """16 hex digits of what decides a fold's part, but for its images."""
    values = [config.model_dump(mode="json", exclude={"z_min"}), fingerprint(vae), TRAIN_VERSION]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
