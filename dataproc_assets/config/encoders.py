"""An image encoder and what it is shown."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.weights import File

Triple = Annotated[list[float], Field(min_length=3, max_length=3)]


class ImageInput(StrictModel):
    """How a decoded picture becomes a model's input: squash, cut, `(pixel - mean) / std`."""

    side: int = Field(gt=0)
    resize: int | None = Field(None, gt=0)  # squashed to this side first, then cut to `side`
    resample: Literal["bilinear", "bicubic"] = "bicubic"
    jpeg_quality: int | None = Field(None, ge=1, le=95)  # one round trip, where training had it
    channels: Literal["rgb", "bgr"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    mean: Triple  # in units of 0..255, in the order of `channels`
    std: Triple = Field([1.0, 1.0, 1.0])

    @model_validator(mode="after")
    def _cut_fits(self) -> "ImageInput":
        if self.resize is not None and self.resize < self.side:
            raise ValueError(f"resize {self.resize} is smaller than side {self.side}")
        return self


class Encoder(StrictModel):
    """An open_clip model and its input. Metrics with equal encoders share one forward pass."""

    architecture: File
    weights: File
    input: ImageInput
