"""What the kinds of metrics have in common."""

from typing import Literal

from pydantic import Field, model_validator

from dataproc_assets.config.base import Name, StrictModel

ModelArgs = dict[str, bool | int | float | str | list[int] | list[float]]
Library = Literal["pytorch", "onnx", "pillow"]
On = Literal["todo", "prefiltered", "representatives"]
"""Where it runs: in the shared pass; late, on what the prefilter kept; or on one of a cluster."""
Precision = Literal["float32", "bfloat16"]
"""bfloat16 is for GPUs that compute with it: elsewhere it is slower, and float32 is taken."""

# What this package says to timm itself; the others could fetch or unpickle other weights.
_OWN_ARGS = {
    "checkpoint_path",
    "cache_dir",
    "features_only",
    "in_chans",
    "num_classes",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
}


class Metric(StrictModel):
    """The keys of every kind, and what is asked of a metric without knowing its kind."""

    name: Name
    on: On
    batch_size: int = Field(gt=0)
    version: int = Field(ge=1)  # of this metric's code: raise it when the code changes the values
    seconds_per_image: float = Field(gt=0)

    @property
    def library(self) -> Library:
        """What it runs on."""
        return "pytorch"

    @property
    def class_columns(self) -> list[str]:
        """The columns of a classifier's classes, which the rules of safety may name."""
        return []

    @property
    def score_columns(self) -> list[str]:
        """The columns of numbers that a release may select by."""
        return self.class_columns

    @property
    def text_column(self) -> str | None:
        """The column of a captioner's text."""
        return None


class TimmMetric(Metric):
    """`model` is a name of timm's, `model_args` what it is built with (`img_size: 448`)."""

    model_args: ModelArgs = Field({})
    precision: Precision = "float32"

    @model_validator(mode="after")
    def _builds_only(self) -> "TimmMetric":
        if own := sorted(_OWN_ARGS & self.model_args.keys()):
            raise ValueError(f"model_args cannot say {', '.join(own)}; the package does")
        return self
