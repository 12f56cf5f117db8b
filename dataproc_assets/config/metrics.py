"""What is computed from an image's pixels: one model of `conf/metrics/*.yaml` a kind of metric."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataproc_assets.config.base import Name
from dataproc_assets.config.encoders import Encoder, ImageInput
from dataproc_assets.config.heads import Head
from dataproc_assets.config.metric_base import Library, Metric, TimmMetric
from dataproc_assets.config.weights import File

Share = Annotated[float, Field(ge=0, le=1)]
Category = Literal["general", "character", "copyright", "artist", "meta"]

CHROMA_CELLS = 4
"""Cells of a thumbnail's brightness along one cell of its colours."""


class OpenClip(Metric):
    """`{name}_embedding` (unit norm) and one `{name}_{head}` a score head on it."""

    kind: Literal["open_clip"]
    encoder: Encoder
    dimensions: int = Field(gt=0)
    heads: dict[Name, Head]
    decimals: int = Field(ge=0)

    @property
    def score_columns(self) -> list[str]:
        """Those of the heads."""
        return [f"{self.name}_{head}" for head in self.heads]


class _Classifier(Metric):
    classes: list[Name] = Field(min_length=1)  # in the order of the model's outputs
    decimals: int = Field(ge=0)

    @property
    def class_columns(self) -> list[str]:
        return [f"{self.name}_{one}" for one in self.classes]


class OnnxClassifier(_Classifier):
    """`{name}_{class}`: the probabilities of an ONNX classifier, in the order of its outputs."""

    kind: Literal["onnx_classifier"]
    weights: File
    input: ImageInput
    output: Literal["probabilities", "logits"] = "probabilities"  # logits go through softmax

    @property
    def library(self) -> Library:
        """onnxruntime."""
        return "onnx"


class LinearClassifier(_Classifier):
    """`{name}_{class}`: the softmax of linear heads on an embedding, a head a class.

    `heads` holds `weight` [classes, dimensions] and `bias` [classes], and names its encoder.
    """

    kind: Literal["linear_classifier"]
    encoder: Encoder
    heads: File


class TimmClassifier(_Classifier, TimmMetric):
    """`{name}_{class}`: the probabilities of a timm classifier, in the order of its outputs."""

    kind: Literal["timm_classifier"]
    model: str
    weights: File
    input: ImageInput
    output: Literal["softmax", "sigmoid"]  # classes that exclude each other, or do not


class Tagger(TimmMetric):
    """`{name}_tags` and `{name}_rating_{rating}` by a network with one output a tag.

    `selected_tags` is a CSV as WD taggers ship it, a row an output. `floors` gives the least p
    of a category that is written down, null for a category that is left out; curation may ask
    for more. `ratings` are the names of category 9, or none to leave the ratings out.
    """

    kind: Literal["tagger"]
    backend: Literal["timm", "onnx"]
    model: str | None = None
    weights: File
    selected_tags: File
    input: ImageInput
    output: Literal["logits", "probabilities"]  # of the model; logits go through a sigmoid
    floors: dict[Category, Share | None] = Field(min_length=1)
    ratings: list[Name] = Field([])
    decimals: int = Field(ge=0)

    @property
    def library(self) -> Library:
        """What the backend is of."""
        return "onnx" if self.backend == "onnx" else "pytorch"

    @model_validator(mode="after")
    def _backend_has_its_own(self) -> "Tagger":
        if self.backend == "timm" and self.model is None:
            raise ValueError("backend timm needs `model`, the name of timm's architecture")
        if self.backend == "timm" and self.output != "logits":
            raise ValueError("backend timm gives logits: write `output: logits`")
        if self.backend == "onnx" and (self.model is not None or self.model_args):
            raise ValueError("backend onnx takes no `model` and no `model_args`: the file is both")
        if self.backend == "onnx" and self.precision != "float32":
            raise ValueError("backend onnx takes no `precision`: it is the file's")
        if len(set(self.ratings)) < len(self.ratings):
            raise ValueError("ratings names one twice")
        return self


class Pixels(Metric):
    """Facts of the file and the decoded picture: size, hashes, thumbnail, sharpness, colour."""

    kind: Literal["pixels"]
    sharpness_side: int = Field(gt=2)  # the scale at which sharpness is measured
    detail_side: int = Field(ge=16, le=256, multiple_of=8)  # of the thumbnail's brightness
    decimals: int = Field(ge=0)

    @property
    def library(self) -> Library:
        """Pillow: there is no network."""
        return "pillow"


class _Captioner(Metric):
    encoder: Encoder
    decimals: int = Field(ge=0)

    @property
    def text_column(self) -> str:
        return f"{self.name}_text"


class RetrievalCaptioner(_Captioner):
    """`{name}_text`: the nearest caption of a bank; null below `min_cosine`."""

    kind: Literal["retrieval_captioner"]
    bank: File
    captions: File
    min_cosine: float = Field(ge=-1, le=1)


class CocaCaptioner(_Captioner):
    """`{name}_text`, written by a CoCa of open_clip, and `{name}_mean_token_p`.

    Each token is the likeliest after those before it; nothing is drawn. `encoder` names or holds
    the whole CoCa: its picture tower, its text tower and its decoder. `mean_token_p` is the mean
    of the probabilities that it gave to the tokens of the text, and to its end where it ended it:
    how sure it was of its words, not whether they are true.
    """

    kind: Literal["coca_captioner"]
    min_tokens: int = Field(ge=1)  # before the text may end
    max_tokens: int = Field(ge=1)  # where it is cut off

    @model_validator(mode="after")
    def _least_and_most(self) -> "CocaCaptioner":
        if self.min_tokens > self.max_tokens:
            raise ValueError(
                f"min_tokens {self.min_tokens} is more than max_tokens {self.max_tokens}"
            )
        return self


MetricConfig = Annotated[
    OpenClip
    | OnnxClassifier
    | LinearClassifier
    | TimmClassifier
    | Tagger
    | Pixels
    | RetrievalCaptioner
    | CocaCaptioner,
    Field(discriminator="kind"),
]
