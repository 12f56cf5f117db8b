"""Readings of a captioner: the nearest caption of a bank."""

import numpy as np
import polars as pl

from dataproc_assets.config.metrics import RetrievalCaptioner
from dataproc_assets.models.base import Reading
from dataproc_assets.models.outputs import rows_by
from dataproc_assets.models.tensors import tensors_for
from dataproc_assets.models.weights import WeightsError, read_verified


def caption_reading(metric: RetrievalCaptioner, where: str) -> Reading:
    """The caption of greatest cosine (the first of equals), null below the least cosine."""
    bank = tensors_for(metric.bank, metric.encoder.weights, f"{where}: bank")["embeddings"]
    captions = read_verified(metric.captions, f"{where}: captions").decode().splitlines()
    if len(captions) != len(bank):
        raise WeightsError(
            f"{where}: captions has {len(captions)} lines, bank has {len(bank)} rows"
        )
    texts, text = pl.Series(captions, dtype=pl.String), f"{metric.name}_text"

    def read(embeddings: np.ndarray) -> pl.DataFrame:
        cosines = rows_by(bank, embeddings).round(metric.decimals)
        best = cosines.argmax(axis=1)
        cosine = cosines[np.arange(len(cosines)), best]
        near = cosine >= np.float32(metric.min_cosine)
        return pl.DataFrame(
            {text: texts.gather(best).set(pl.Series(~near), None), f"{metric.name}_cosine": cosine}
        )

    return read
