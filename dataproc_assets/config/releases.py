"""What a release holds, how it is cut into shards, and which latents go with it."""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.denoiser import DenoiserConfig

Rating = Literal["general", "sensitive", "questionable", "explicit"]
Format = Literal["parquet", "webdataset", "sd_scripts", "huggingface"]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Count = Annotated[int, Field(ge=1)]
SplitName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
TRAIN = "train"


class Bounds(StrictModel):
    """The least and the most of a score; both bounds are in it."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least:g} is above at_most {self.at_most:g}")
        return self


class Select(StrictModel):
    """Which images of the sanitized ones go in. A null value never satisfies a condition.

    `ratings` is always asked; every other condition is asked only where it is given.
    `tiers: [null, best]` takes images without a tier too. `scores` are those of the metrics that
    every image is put to (`clip_score`, `softmax_sfw`), of the representative, or
    `tier_percentile`.
    """

    ratings: Annotated[list[Rating], Field(min_length=1)]
    tiers: list[str | None] | None = None
    sources: list[str] | None = None
    pixels_min: Count | None = None
    side_min: Count | None = None
    aspect_max: Annotated[float, Field(ge=1)] | None = None
    year_min: int | None = None
    year_max: int | None = None
    scores: dict[str, Bounds] = Field(default_factory=dict)


class Caps(StrictModel):
    """The most images of one artist, of one character and of one source; null for no cap."""

    artist: Count | None = None
    character: Count | None = None
    source: Count | None = None


class Shard(StrictModel):
    """The most image bytes and, where given, the most images of one tar."""

    bytes_max: Count
    images_max: Count | None = None


class Buckets(StrictModel):
    """Aspect-ratio buckets: a pixel budget, and sides that are multiples of `step`."""

    pixels: Count
    step: Annotated[int, Field(ge=8, multiple_of=8)]
    min_side: Count
    max_side: Count

    @model_validator(mode="after")
    def _sides_fit(self) -> Self:
        for name, side in (("min_side", self.min_side), ("max_side", self.max_side)):
            if side % self.step:
                raise ValueError(f"{name} {side} is not a multiple of step {self.step}")
        if not self.min_side**2 <= self.pixels <= self.max_side**2:
            raise ValueError(
                f"pixels {self.pixels} lies outside min_side² {self.min_side**2} "
                f"and max_side² {self.max_side**2}"
            )
        return self


class Schedule(StrictModel):
    """When a release starts by itself: a cron expression of five fields, in a time zone."""

    cron: str
    timezone: str = "UTC"

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {name!r}; give one such as Europe/Berlin") from error
        return name


class LatentsConfig(StrictModel):
    """The latents of a release: which VAE, which buckets, and the type in the shards.

    `sample_share` is the share of images that are decoded again for their PSNR and a preview; a
    mean below `psnr_min` dB fails the check of the latents. Buckets of fewer than `small_bucket`
    images are kept, and named in the manifest.
    """

    vae: str
    buckets: Buckets
    dtype: Literal["float32", "float16"]
    batch_size: Count
    sample_share: Annotated[float, Field(ge=0, le=1)]
    psnr_min: Annotated[float, Field(ge=0)] = 0.0
    small_bucket: Count
    shard: Shard


class ReleaseConfig(StrictModel):
    """One release. The first recipe's first prompt is the `.txt` of a sample.

    `splits` gives the share of each split; an image and all that are much alike are in one.
    """

    name: Name
    title: str
    recipes: Annotated[list[Name], Field(min_length=1)]
    seed: int
    select: Select
    caps: Caps = Caps()
    splits: dict[SplitName, Annotated[float, Field(gt=0, le=1)]] = Field(
        default_factory=lambda: {TRAIN: 1.0}
    )
    shard: Shard
    formats: Annotated[list[Format], Field(min_length=1)]
    licence: str
    licence_note: str
    latents: LatentsConfig | None = None
    denoiser: DenoiserConfig | None = None
    schedule: Schedule | None = None

    @model_validator(mode="after")
    def _has_table(self) -> Self:
        if "parquet" not in self.formats:
            raise ValueError("formats must hold 'parquet': latents and checks read the tables")
        return self

    @model_validator(mode="after")
    def _has_whole_splits(self) -> Self:
        if TRAIN not in self.splits:
            raise ValueError(f"splits must have one named '{TRAIN}', which trainers look for")
        if abs(sum(self.splits.values()) - 1) > 1e-9:
            raise ValueError(f"the shares of splits add up to {sum(self.splits.values()):g}, not 1")
        return self

    @model_validator(mode="after")
    def _denoiser_has_latents(self) -> Self:
        if self.denoiser is None:
            return self
        if self.latents is None:
            raise ValueError("denoiser is trained on latents: add a section 'latents'")
        held = self.denoiser.held_out
        if held == TRAIN or held not in self.splits:
            others = ", ".join(name for name in self.splits if name != TRAIN) or "none"
            raise ValueError(
                f"denoiser.held_out: '{held}' is no split beside '{TRAIN}'; there are: {others}"
            )
        return self
