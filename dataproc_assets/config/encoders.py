"""An image encoder and what it is shown."""

import json
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.metric_base import Precision
from dataproc_assets.config.weights import File, pins

Triple = Annotated[list[float], Field(min_length=3, max_length=3)]


class ImageInput(StrictModel):
    """How a decoded picture becomes a model's input: a square of `side`, `(pixel - mean) / std`.

    `fit` is how it becomes a square. `squash`: as a whole, whatever its shape. `crop`: its
    shorter side becomes `side`, and the middle is cut out, as OpenAI's CLIP was trained. `pad`:
    white is put around it, as the WD taggers were trained.
    """

    side: int = Field(gt=0)
    fit: Literal["squash", "crop", "pad"] = "squash"
    resize: int | None = Field(None, gt=0)  # to this side first, whose middle is then cut out
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
        if self.resize is not None and self.fit == "pad":
            raise ValueError("fit: pad cuts nothing off: leave resize out")
        return self


class Encoder(StrictModel):
    """An open_clip model and its input. Metrics with equal encoders share one forward pass.

    The architecture is a name that open_clip knows (`model: ViT-L-14`), or a JSON file with the
    arguments of its CLIP.
    """

    model: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    architecture: File | None = None
    weights: File
    input: ImageInput
    precision: Precision = "float32"

    @model_validator(mode="after")
    def _has_one_architecture(self) -> "Encoder":
        if (self.model is None) == (self.architecture is None):
            raise ValueError("give one of model (a name of open_clip's) and architecture (a file)")
        return self

    def key(self) -> str:
        """Equal for encoders that compute the same, wherever their files lie."""
        return json.dumps(pins(self.model_dump(mode="json")), sort_keys=True)
