"""Readings of an embedding: linear scores, tags, and the nearest caption of a bank."""

import json
from collections.abc import Callable

import numpy as np
import polars as pl
from safetensors.numpy import load

from dataproc_assets.config.metrics import LinearTagger, OpenClip, RetrievalCaptioner
from dataproc_assets.config.weights import File
from dataproc_assets.models.columns import TAGS
from dataproc_assets.models.weights import WeightsError, read_verified

Reading = Callable[[np.ndarray], pl.DataFrame]


def _tensors(file: File, encoder: File, where: str) -> dict[str, np.ndarray]:
    """Tensors of a file made for one encoder, whose digest its safetensors metadata names."""
    content = read_verified(file, where)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    made_for = header.get("__metadata__", {}).get("encoder")
    if made_for != encoder.sha256:
        raise WeightsError(
            f"{where}: {file.uri} was made for the encoder {made_for}, but encoder.weights is "
            f"{encoder.sha256}; train it again on these embeddings"
        )
    return load(content)


def _rows_by(matrix: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
    """Dot products [n, k] of embeddings [n, d] with a matrix [k, d], in float32.

    One row at a time: a matrix product may sum in another order when n differs.
    """
    return np.stack([matrix @ row for row in embeddings.astype(np.float32)])


def clip_reading(metric: OpenClip, where: str) -> Reading:
    """The embedding, and `weight · embedding + bias` of each head, rounded."""
    heads = {
        name: _tensors(file, metric.encoder.weights, f"{where}: heads.{name}")
        for name, file in metric.heads.items()
    }

    def read(embeddings: np.ndarray) -> pl.DataFrame:
        columns = {f"{metric.name}_embedding": embeddings}
        for name, head in heads.items():
            score = _rows_by(head["weight"], embeddings)[:, 0] + head["bias"][0]
            columns[f"{metric.name}_{name}"] = score.round(metric.decimals)
        return pl.DataFrame(columns)

    return read


def tag_reading(metric: LinearTagger, where: str) -> Reading:
    """Tags whose sigmoid is at least their category's floor, by p descending, then by tag."""
    head = _tensors(metric.heads, metric.encoder.weights, f"{where}: heads")
    lines = read_verified(metric.vocabulary, f"{where}: vocabulary").decode().splitlines()
    tags, categories = (
        list(column) for column in zip(*(x.split("\t") for x in lines), strict=True)
    )
    if len(tags) != len(head["weight"]):
        raise WeightsError(
            f"{where}: vocabulary has {len(tags)} tags, heads has {len(head['weight'])} rows"
        )
    missing = sorted(set(categories) - metric.floors.keys())
    if missing:
        raise WeightsError(f"{where}: floors lacks {', '.join(missing)}; add the least p to keep")
    floors = np.array([metric.floors[category] for category in categories], np.float32)
    column = f"{metric.name}_tags"

    def read(embeddings: np.ndarray) -> pl.DataFrame:
        logits = _rows_by(head["weight"], embeddings) + head["bias"]
        p = (1 / (1 + np.exp(-logits.astype(np.float64)))).round(metric.decimals)
        p = p.astype(np.float32)
        row, tag = np.nonzero(p >= floors)
        found = (
            pl.DataFrame({"row": row, "index": tag, "p": p[row, tag]})
            .with_columns(
                tag=pl.Series(tags, dtype=pl.String).gather(tag),
                category=pl.Series(categories, dtype=pl.String).gather(tag),
            )
            .sort("row", "p", "tag", descending=[False, True, False])
            .group_by("row", maintain_order=True)
            .agg(pl.struct("tag", "category", "p").alias(column))
        )
        rows = pl.DataFrame({"row": np.arange(len(embeddings))})
        return rows.join(found, on="row", how="left", maintain_order="left").select(
            pl.col(column).fill_null(pl.lit([], dtype=TAGS))
        )

    return read


def caption_reading(metric: RetrievalCaptioner, where: str) -> Reading:
    """The caption of greatest cosine (the first of equals), null below the least cosine."""
    bank = _tensors(metric.bank, metric.encoder.weights, f"{where}: bank")["embeddings"]
    captions = read_verified(metric.captions, f"{where}: captions").decode().splitlines()
    if len(captions) != len(bank):
        raise WeightsError(
            f"{where}: captions has {len(captions)} lines, bank has {len(bank)} rows"
        )
    texts, text = pl.Series(captions, dtype=pl.String), f"{metric.name}_text"

    def read(embeddings: np.ndarray) -> pl.DataFrame:
        cosines = _rows_by(bank.astype(np.float32), embeddings).round(metric.decimals)
        best = cosines.argmax(axis=1)
        cosine = cosines[np.arange(len(cosines)), best]
        near = cosine >= np.float32(metric.min_cosine)
        return pl.DataFrame(
            {text: texts.gather(best).set(pl.Series(~near), None), f"{metric.name}_cosine": cosine}
        )

    return read
