"""What is computed from an image's pixels: one model of `conf/metrics/*.yaml` a kind of metric."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import Name, StrictModel
from dataproc_assets.config.encoders import Encoder, ImageInput
from dataproc_assets.config.weights import File

Share = Annotated[float, Field(ge=0, le=1)]


CHROMA_CELLS = 4
"""Cells of a thumbnail's brightness along one cell of its colours."""


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
