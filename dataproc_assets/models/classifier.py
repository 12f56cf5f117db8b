"""The reading of a classifier: one probability a class."""

import numpy as np
import polars as pl

from dataproc_assets.config.metrics import OnnxClassifier, TimmClassifier
from dataproc_assets.models.base import Reading
from dataproc_assets.models.outputs import sigmoid, softmax

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
