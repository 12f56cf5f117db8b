"""Records, metrics and intake's verdict of one source as one table: nothing known vanishes."""

from collections.abc import Callable, Sequence

import polars as pl

from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.columns import ELIGIBILITY_SCHEMA, RECORD_SCHEMA, TAG_COLUMNS
from dataproc_assets.transforms.namespace import add_namespace

Merger = Callable[[pl.LazyFrame], pl.LazyFrame]
"""What one source does to the joined table, whose columns have no prefix yet."""

FIELDS = [name for name in RECORD_SCHEMA.names() if name not in ("image_key", "source")]
"""The record fields of a merged table, there as `{source}__{field}`."""


def _has_tag(tags: Sequence[str]) -> pl.Expr:
    """Boolean, false where tags are unknown: any category holds one of `tags`, case ignored."""
    wanted = [tag.lower() for tag in tags]
    found = [
        pl.col(column).list.eval(pl.element().str.to_lowercase().is_in(wanted)).list.any()
        for column in TAG_COLUMNS
    ]
    return pl.any_horizontal(column.fill_null(False) for column in found)


def _pixiv(joined: pl.LazyFrame) -> pl.LazyFrame:
    """Works carry their age limit as a tag too, also where a record lost `x_restrict`."""
    adult = pl.when(_has_tag(["R-18", "R-18G"])).then(pl.lit("explicit")).otherwise("rating")
    return joined.with_columns(adult.alias("rating"))


def _danbooru(joined: pl.LazyFrame) -> pl.LazyFrame:
    """A post of an artist who asked to be removed keeps its file for some: banned all the same."""
    banned = pl.when(_has_tag(["banned_artist"])).then(pl.lit("banned")).otherwise("status")
    return joined.with_columns(banned.alias("status"))


_MERGERS: dict[str, Merger] = {"pixiv": _pixiv, "danbooru": _danbooru}


def merge_source(
    records: pl.LazyFrame,
    metrics: pl.LazyFrame,
    eligibility: pl.LazyFrame,
    source: SourceConfig,
) -> pl.LazyFrame:
    """One row a key that any of the three tables knows, sorted by `image_key`.

    records: `RECORD_SCHEMA`; metrics: `metrics_merged`; eligibility: `ELIGIBILITY_SCHEMA`; each
    with unique keys. Record fields and metric columns become `{source}__{field}`, with the same
    types in every source; the columns of eligibility keep their names. `has_image` and `has_record`
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
    if source.ai_tags:
        flagged = pl.when(_has_tag(source.ai_tags)).then(pl.lit("yes")).otherwise("ai")
        joined = joined.with_columns(flagged.alias("ai"))
    if source.adapter in _MERGERS:
        joined = _MERGERS[source.adapter](joined)
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
