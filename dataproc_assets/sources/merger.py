"""Records, metrics and intake's verdict of one source as one table: nothing known vanishes."""

import polars as pl

from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.adapters import merger
from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA, RECORD_SCHEMA
from dataproc_assets.transforms.namespace import add_namespace
from dataproc_assets.transforms.tagged import ai_flag

FIELDS = [name for name in RECORD_SCHEMA.names() if name not in ("image_key", "source")]
"""The record fields of a merged table, there as `{source}__{field}`."""


def merge_source(
    records: pl.LazyFrame,
    metrics: pl.LazyFrame,
    eligibility: pl.LazyFrame,
    source: SourceConfig,
) -> pl.LazyFrame:
    """One row a key that any of the three tables knows, sorted by `image_key`.

    records: `RECORD_SCHEMA`; metrics: `metrics_merged`; eligibility: `ELIGIBILITY_SCHEMA`; each
    with unique keys. Record fields and metric columns become `{source}__{field}`, with the same
    types in every source; the columns of eligibility keep their names. A source whose adapter has a
    `merge` of its own is changed by it. `has_image` and `has_record`
    are never null. A record with one of `source.ai_tags` has `ai` yes, whatever its flag says.
    """
    known = records.select("image_key", *FIELDS, pl.lit(True).alias("_record"))
    joined = (
        eligibility.select(ELIGIBILITY_SCHEMA.names())
        .join(known, on="image_key", how="full", coalesce=True)
        .join(metrics, on="image_key", how="full", coalesce=True)
        .with_columns(
            pl.col("has_image").fill_null(False),
            pl.coalesce("has_record", "_record", pl.lit(False)).alias("has_record"),
            pl.col("intake_drops").fill_null([]),
        )
        .drop("_record")
    )
    joined = joined.with_columns(ai_flag(source.ai_tags))
    if merge := merger(source):
        joined = merge(joined)
    metric_columns = [name for name in metrics.collect_schema().names() if name != "image_key"]
    own = [*FIELDS, *metric_columns]
    return (
        add_namespace(joined, source.name, own)
        .select(
            "image_key",
            *(f"{source.name}__{name}" for name in own),
            *ELIGIBILITY_SCHEMA.names()[1:],
        )
        .sort("image_key")
    )
