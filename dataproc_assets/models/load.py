"""Models from their configurations, and one pass of several models over the same pictures.

torch with open_clip, and onnxruntime, are imported when the first metric that runs on them is
loaded: they take seconds of processor time, which other metrics' workers need not spend.
"""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dataproc_assets.config.metrics import (
    LinearTagger,
    MetricConfig,
    OnnxClassifier,
    OpenClip,
    RetrievalCaptioner,
)
from dataproc_assets.models.base import Backbone, DecodedImage, Model
from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.heads import caption_reading, clip_reading, tag_reading
from dataproc_assets.models.pixels import PixelFacts, facts_reading

if TYPE_CHECKING:
    from dataproc_assets.models.encoder import ClipEncoder

_encoders: dict[str, "ClipEncoder"] = {}


def _encoder(
    metric: OpenClip | LinearTagger | RetrievalCaptioner, where: str, device: str, threads: int
) -> "ClipEncoder":
    """The encoder of a metric; one in this process for equal models, inputs and batch sizes."""
    from dataproc_assets.models.encoder import ClipEncoder
    from dataproc_assets.models.torch_threads import use_threads

    use_threads(threads)
    key = f"{metric.encoder.key()} {device} {metric.batch_size}"
    if key not in _encoders:
        _encoders[key] = ClipEncoder(metric.encoder, where, device, metric.batch_size)
    return _encoders[key]


def load_model(metric: MetricConfig, device: str = "cpu", threads: int = 1) -> Model:
    """A metric's model, its files verified; metrics with equal encoders share one.

    `device` is a torch device. onnxruntime without its CUDA provider stays on the CPU.
    `threads` are the compute threads: of the model for ONNX, of the process for torch.

    Raises:
        WeightsError: a file is missing, has another digest or does not fit the others.
    """
    where = f"conf/metrics/{metric.name}.yaml"
    backbone: Backbone
    if isinstance(metric, OpenClip):
        backbone, read = _encoder(metric, where, device, threads), clip_reading(metric, where)
    elif isinstance(metric, LinearTagger):
        backbone, read = _encoder(metric, where, device, threads), tag_reading(metric, where)
    elif isinstance(metric, RetrievalCaptioner):
        backbone = _encoder(metric, where, device, threads)
        read = caption_reading(metric, where)
    elif isinstance(metric, OnnxClassifier):
        from dataproc_assets.models.classifier import OnnxBackbone

        backbone = OnnxBackbone(metric, where, device, threads)
        names, decimals = list(metric_columns(metric)), metric.decimals
        read = lambda p: pl.DataFrame(p.round(decimals), schema=names)  # noqa: E731
    else:
        backbone, read = PixelFacts(metric), partial(facts_reading, metric.name)
    return Model(metric.name, backbone, metric_columns(metric), read, metric.batch_size)


class Pass:
    """Several models over the same pictures: equal inputs and equal forward passes once each."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = {model.name: model for model in models}
        self.batch_size = max(model.batch_size for model in models)
        self._backbones = list(dict.fromkeys(model.backbone for model in models))

    def preprocess(self, image: DecodedImage) -> list[np.ndarray]:
        """One picture's inputs, one array a distinct backbone. Called in reader threads."""
        return [backbone.preprocess(image) for backbone in self._backbones]

    def forward(self, inputs: Sequence[Sequence[np.ndarray]]) -> dict[str, pl.DataFrame]:
        """Each metric's columns, one row a picture, in the order given."""
        if not inputs:
            return {name: pl.DataFrame(schema=m.columns) for name, m in self.models.items()}
        outputs = {
            backbone: backbone.run(np.stack(column))
            for backbone, column in zip(self._backbones, zip(*inputs, strict=True), strict=True)
        }
        return {name: m.tabulate(outputs[m.backbone]) for name, m in self.models.items()}


def load_pass(metrics: Sequence[MetricConfig], device: str = "cpu", threads: int = 1) -> Pass:
    """The models of several metrics as one pass."""
    return Pass([load_model(metric, device, threads) for metric in metrics])
