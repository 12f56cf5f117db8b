"""Records, metrics and intake's verdict of one source as one table: nothing known vanishes."""

import polars as pl

from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.adapters import merger
from dataproc_assets.sources.cleaning import clean_records
from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA, RECORD_SCHEMA
from dataproc_assets.transforms.namespace import add_namespace
from dataproc_assets.transforms.tagged import ai_flag

MERGED_SCHEMA = pl.Schema(
    {
        **{n: t for n, t in RECORD_SCHEMA.items() if n not in ("image_key", "source")},
        "text_cut": pl.String,
    }
)
"""The fields of a merged table beside the metrics, there as `{source}__{field}`. `text_cut` is
what the merger cut out of title and caption, which safety has to read; null where that is nothing.
"""


def merge_source(
    records: pl.LazyFrame,
    metrics: pl.LazyFrame,
    eligibility: pl.LazyFrame,
    source: SourceConfig,
) -> pl.LazyFrame:
    """One row a key that any of the three tables knows, sorted by `image_key`.

    records: `RECORD_SCHEMA`; metrics: `metrics_merged`; eligibility: `ELIGIBILITY_SCHEMA`; each
    with unique keys. The fields of `MERGED_SCHEMA` and the metric columns become
    `{source}__{field}`, with the same types in every source; the columns of eligibility keep their
    names. Every source's merger is this one: it cleans the records as `source.merger` says, and a
    source whose adapter has a `merge` of its own is then changed by that. `has_image` and
    `has_record` are never null. A record with one of `source.ai_tags` has `ai` yes, whatever its
    flag says.
    """
    known = records.select(RECORD_SCHEMA.names()).with_columns(ai_flag(source.ai_tags))
    cleaned = clean_records(known, source.merger).with_columns(pl.lit(True).alias("_record"))
    joined = (
        eligibility.select(ELIGIBILITY_SCHEMA.names())
        .join(cleaned.drop("source"), on="image_key", how="full", coalesce=True)
        .join(metrics, on="image_key", how="full", coalesce=True)
        .with_columns(
            pl.col("has_image").fill_null(False),
            pl.coalesce("has_record", "_record", pl.lit(False)).alias("has_record"),
            pl.col("intake_drops").fill_null([]),
        )
        .drop("_record")
    )
    if merge := merger(source):
        joined = merge(joined)
    metric_columns = [name for name in metrics.collect_schema().names() if name != "image_key"]
    own = [*MERGED_SCHEMA.names(), *metric_columns]
    return (
        add_namespace(joined.cast(MERGED_SCHEMA), source.name, own)
        .select(
            "image_key",
            *(f"{source.name}__{name}" for name in own),
            *ELIGIBILITY_SCHEMA.names()[1:],
        )
        .sort("image_key")
    )
