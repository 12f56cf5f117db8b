"""Models from their configurations, and one pass of several models over the same pictures.

torch with open_clip or timm, and onnxruntime, are imported when the first metric that runs on
them is loaded: they take seconds of processor time, which other metrics' workers need not spend.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from dataproc_assets.config.metrics import (
    CocaCaptioner,
    LinearClassifier,
    MetricConfig,
    OnnxClassifier,
    OpenClip,
    Pixels,
    RetrievalCaptioner,
    Tagger,
    TimmClassifier,
)
from dataproc_assets.models.base import Backbone, DecodedImage, Model, Reading
from dataproc_assets.models.columns import metric_columns
from dataproc_assets.models.weights import WeightsError

if TYPE_CHECKING:
    from dataproc_assets.models.encoder import ClipEncoder
    from dataproc_assets.models.onnx_backbone import OnnxBackbone
    from dataproc_assets.models.timm_backbone import TimmBackbone

_encoders: dict[str, "ClipEncoder"] = {}


@dataclass(frozen=True)
class _Place:
    """The YAML file that asks, for messages, and what the model runs on."""

    where: str
    device: str
    threads: int
    compiled: bool


def _encoder(metric: OpenClip | LinearClassifier | RetrievalCaptioner, on: _Place) -> "ClipEncoder":
    """The encoder of a metric; one in this process for equal models, inputs and batch sizes."""
    from dataproc_assets.models.encoder import ClipEncoder
    from dataproc_assets.models.torch_threads import use_threads

    use_threads(on.threads)
    key = f"{metric.encoder.key()} {on.device} {on.compiled} {metric.batch_size}"
    if key not in _encoders:
        _encoders[key] = ClipEncoder(
            metric.encoder, on.where, on.device, metric.batch_size, compiled=on.compiled
        )
    return _encoders[key]


def _timm(metric: TimmClassifier | Tagger, outputs: int, on: _Place) -> "TimmBackbone":
    from dataproc_assets.models.timm_backbone import TimmBackbone
    from dataproc_assets.models.torch_threads import use_threads

    use_threads(on.threads)
    return TimmBackbone(
        metric.model or "",
        metric.model_args,
        metric.weights,
        metric.input,
        on.where,
        outputs=outputs,
        device=on.device,
        batch_size=metric.batch_size,
        precision=metric.precision,
        compiled=on.compiled,
    )


def _onnx(metric: OnnxClassifier | Tagger, outputs: int, said: str, on: _Place) -> "OnnxBackbone":
    from dataproc_assets.models.onnx_backbone import OnnxBackbone

    backbone = OnnxBackbone(
        metric.weights,
        metric.input,
        on.where,
        device=on.device,
        threads=on.threads,
        batch_size=metric.batch_size,
    )
    if backbone.outputs != outputs:
        raise WeightsError(
            f"{on.where}: {said} {outputs}, the model has {backbone.outputs} outputs"
        )
    return backbone


def _open_clip(metric: OpenClip, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.encoder import check_dimensions
    from dataproc_assets.models.heads import clip_reading

    check_dimensions(metric.encoder, metric.dimensions, on.where)
    return _encoder(metric, on), clip_reading(metric, on.where)


def _onnx_classifier(metric: OnnxClassifier, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.classifier import class_reading

    return _onnx(metric, len(metric.classes), "classes names", on), class_reading(metric)


def _linear_classifier(metric: LinearClassifier, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.classifier import linear_class_reading

    return _encoder(metric, on), linear_class_reading(metric, on.where)


def _timm_classifier(metric: TimmClassifier, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.classifier import class_reading

    return _timm(metric, len(metric.classes), on), class_reading(metric)


def _tagger(metric: Tagger, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.tags import TagReading

    read = TagReading(metric, on.where)
    if metric.backend == "onnx":
        return _onnx(metric, read.outputs, "selected_tags has", on), read
    return _timm(metric, read.outputs, on), read


def _retrieval_captioner(metric: RetrievalCaptioner, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.captions import caption_reading

    return _encoder(metric, on), caption_reading(metric, on.where)


def _coca_captioner(metric: CocaCaptioner, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.captioner import CocaWriter, text_reading
    from dataproc_assets.models.torch_threads import use_threads

    use_threads(on.threads)
    return CocaWriter(metric, on.where, on.device), text_reading(metric)


def _pixels(metric: Pixels, on: _Place) -> tuple[Backbone, Reading]:
    from dataproc_assets.models.pixels import PixelFacts, facts_reading

    return PixelFacts(metric), partial(facts_reading, metric.name)


_BUILDERS: dict[str, Callable[[Any, _Place], tuple[Backbone, Reading]]] = {
    "open_clip": _open_clip,
    "onnx_classifier": _onnx_classifier,
    "linear_classifier": _linear_classifier,
    "timm_classifier": _timm_classifier,
    "tagger": _tagger,
    "retrieval_captioner": _retrieval_captioner,
    "coca_captioner": _coca_captioner,
    "pixels": _pixels,
}


def load_model(
    metric: MetricConfig, device: str = "cpu", threads: int = 1, *, compiled: bool = False
) -> Model:
    """A metric's model, its files verified; metrics with equal encoders share one.

    `device` is a torch device. onnxruntime without its CUDA provider stays on the CPU.
    `threads` are the compute threads: of the model for ONNX, of the process for torch.
    `compiled` networks go through torch.compile; a captioner's, which grows its input token by
    token, does not, and ONNX needs none.

    Raises:
        WeightsError: a file is missing, has another digest or does not fit the others.
    """
    place = _Place(f"conf/metrics/{metric.name}.yaml", device, threads, compiled)
    backbone, read = _BUILDERS[metric.kind](metric, place)
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
