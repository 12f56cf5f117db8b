"""The reading of a classifier: one probability a class."""

import numpy as np
import polars as pl

from dataproc_assets.config.metrics import LinearClassifier, OnnxClassifier, TimmClassifier
from dataproc_assets.models.base import Reading
from dataproc_assets.models.outputs import rows_by, sigmoid, softmax
from dataproc_assets.models.tensors import tensors_for
from dataproc_assets.models.weights import WeightsError

_FROM_OUTPUTS = {
    "probabilities": lambda outputs: outputs,
    "logits": softmax,
    "softmax": softmax,
    "sigmoid": sigmoid,
}


def class_reading(metric: OnnxClassifier | TimmClassifier) -> Reading:
    """The probabilities, rounded."""
    from_outputs, names = _FROM_OUTPUTS[metric.output], metric.class_columns

    def read(outputs: np.ndarray) -> pl.DataFrame:
        return pl.DataFrame(from_outputs(outputs).round(metric.decimals), schema=names)

    return read


def linear_class_reading(metric: LinearClassifier, where: str) -> Reading:
    """The softmax of linear heads on an embedding, rounded.

    Raises:
        WeightsError: the heads are not one a class, or not on such an embedding.
    """
    heads = tensors_for(metric.heads, metric.encoder.weights, f"{where}: heads")
    weight, bias = heads["weight"], heads["bias"]
    if len(weight) != len(metric.classes) or len(bias) != len(metric.classes):
        raise WeightsError(
            f"{where}: classes names {len(metric.classes)}, heads has {len(weight)} rows"
        )
    names = metric.class_columns

    def read(embeddings: np.ndarray) -> pl.DataFrame:
        logits = rows_by(weight, embeddings) + bias
        return pl.DataFrame(softmax(logits).round(metric.decimals), schema=names)

    return read
