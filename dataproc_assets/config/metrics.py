"""What is computed from an image's pixels: one model of `conf/metrics/*.yaml` a kind of metric."""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Triple = Annotated[list[float], Field(min_length=3, max_length=3)]
Share = Annotated[float, Field(ge=0, le=1)]


CHROMA_CELLS = 4
"""Cells of a thumbnail's brightness along one cell of its colours."""


class File(StrictModel):
    """A file a model is made of, pinned by the digest of its bytes.

    `uri` is `package:{package}/{path}`, a path or a `file://` URL.
    """

    uri: str
    sha256: Digest


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


class _Metric(StrictModel):
    name: Name
    on: Literal["todo", "representatives"]  # in the shared pass, or late, on one of a cluster
    batch_size: int = Field(gt=0)
    version: int = Field(ge=1)  # of this metric's code: raise it when the code changes the values
    seconds_per_image: float = Field(gt=0)


class OpenClip(_Metric):
    """`{name}_embedding` (unit norm) and one `{name}_{head}` a linear head on it."""

    kind: Literal["open_clip"]
    encoder: Encoder
    dimensions: int = Field(gt=0)
    heads: dict[Name, File]
    decimals: int = Field(ge=0)


class OnnxClassifier(_Metric):
    """`{name}_{class}`: the probabilities of an ONNX classifier, in the order of its outputs."""

    kind: Literal["onnx_classifier"]
    weights: File
    input: ImageInput
    classes: list[Name] = Field(min_length=1)
    decimals: int = Field(ge=0)


class LinearTagger(_Metric):
    """`{name}_tags`: tags by linear heads on an embedding.

    `floors` is the least p of a category that is written down. What a training set keeps is
    decided later, by curation, and may be stricter without a second pass.
    """

    kind: Literal["linear_tagger"]
    encoder: Encoder
    heads: File
    vocabulary: File  # lines of `tag<TAB>category`, in the order of the heads
    floors: dict[Name, Share]
    decimals: int = Field(ge=0)


class Pixels(_Metric):
    """Facts of the file and the decoded picture: size, hashes, thumbnail, sharpness, colour."""

    kind: Literal["pixels"]
    sharpness_side: int = Field(gt=2)  # the scale at which sharpness is measured
    detail_side: int = Field(ge=16, le=256, multiple_of=8)  # of the thumbnail's brightness
    decimals: int = Field(ge=0)


class RetrievalCaptioner(_Metric):
    """`{name}_text`: the nearest caption of a bank; null below `min_cosine`."""

    kind: Literal["retrieval_captioner"]
    encoder: Encoder
    bank: File
    captions: File
    min_cosine: float = Field(ge=-1, le=1)
    decimals: int = Field(ge=0)


MetricConfig = Annotated[
    OpenClip | OnnxClassifier | LinearTagger | Pixels | RetrievalCaptioner,
    Field(discriminator="kind"),
]


class VaeConfig(StrictModel):
    """A diffusers AutoencoderKL. Latents are stored unscaled; `scaling` is for the manifest."""

    name: Name
    architecture: File
    weights: File
    channels: int = Field(gt=0)
    factor: int = Field(gt=0)
    scaling: float = Field(gt=0)
    version: int = Field(ge=1)


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == File.model_fields.keys():
            return value["sha256"]
        return {key: _without_places(inner) for key, inner in value.items()}
    return value


def fingerprint(config: MetricConfig | VaeConfig) -> str:
    """16 hex digits that change when, and only when, the values of a metric can.

    Digests of weights and vocabularies, preprocessing, rounding, what is written down (floors)
    and the version of the code take part. Names, places, times, `on` and a VAE's `scaling`
    (latents are stored unscaled) do not. `batch_size` does not either: on a CPU it has no
    effect, and on a GPU it can change last bits as the kind of GPU does, which must not make
    every image be scored again.
    """
    without = {"name", "on", "batch_size", "seconds_per_image", "scaling"}
    values = config.model_dump(mode="json", exclude=without)
    text = json.dumps(_without_places(values), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
