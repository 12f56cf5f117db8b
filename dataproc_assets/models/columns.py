"""The columns a metric writes, known from its configuration alone."""

import polars as pl

from dataproc_assets.config.metrics import (
    CHROMA_CELLS,
    CocaCaptioner,
    LinearClassifier,
    MetricConfig,
    OnnxClassifier,
    OpenClip,
    RetrievalCaptioner,
    Tagger,
    TimmClassifier,
)

TAGS = pl.List(pl.Struct({"tag": pl.String, "category": pl.String, "p": pl.Float32}))
_PIXELS = {
    "width": pl.Int32,
    "height": pl.Int32,
    "bytes": pl.Int64,
    "sha256": pl.String,
    "md5": pl.String,
    "phash": pl.UInt64,
    "mean_r": pl.Float32,
    "mean_g": pl.Float32,
    "mean_b": pl.Float32,
    "sharpness": pl.Float32,
    "alpha_share": pl.Float32,
    "frames": pl.Int32,
    "format": pl.String,
}


def detail_bytes(side: int) -> int:
    """Bytes of a thumbnail: its brightness, then two colours at 1/`CHROMA_CELLS` of the side."""
    return side**2 + 2 * (side // CHROMA_CELLS) ** 2


def metric_columns(metric: MetricConfig) -> pl.Schema:
    """Names and types of a metric's columns, each beginning with `{name}_`; no weights are read."""
    columns: dict[str, pl.DataType | type[pl.DataType]]
    if isinstance(metric, OpenClip):
        columns = {"embedding": pl.Array(pl.Float16, metric.dimensions)}
        columns |= dict.fromkeys(metric.heads, pl.Float32)
    elif isinstance(metric, OnnxClassifier | LinearClassifier | TimmClassifier):
        columns = dict.fromkeys(metric.classes, pl.Float32)
    elif isinstance(metric, Tagger):
        columns = {"tags": TAGS}
        columns |= dict.fromkeys([f"rating_{name}" for name in metric.ratings], pl.Float32)
    elif isinstance(metric, RetrievalCaptioner):
        columns = {"text": pl.String, "cosine": pl.Float32}
    elif isinstance(metric, CocaCaptioner):
        columns = {"text": pl.String, "mean_token_p": pl.Float32}
    else:
        columns = {**_PIXELS, "detail": pl.Array(pl.UInt8, detail_bytes(metric.detail_side))}
    return pl.Schema({f"{metric.name}_{column}": dtype for column, dtype in columns.items()})
