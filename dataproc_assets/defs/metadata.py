"""Metadata: records and metrics of a source in its namespace."""

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import metadata as checks
from dataproc_assets.defs.result import table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.table_parts import table_parts
from dataproc_assets.sources.merger import merge_source
from dataproc_assets.storage.lake import Lake


def merged(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Join records, metrics and the intake's verdict by the source's merger."""
    inputs, config = lake.inputs("merged", source), lake.project.sources[source]
    tables: dict[str, str | None] = dict.fromkeys(("records", "metrics_merged", "todo"), source)
    with table_parts(lake, tables) as parts:

        def merge(part: int) -> pl.DataFrame:
            records, metrics = parts.read("records", part), parts.read("metrics_merged", part)
            return merge_source(records, metrics, parts.read("todo", part), config).collect()

        info = parts.write("merged", source, inputs, merge)
    context.log.info(f"{source}: {info.rows} keys, each with what is known of it")
    return table_result(lake, "merged", source, info)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [stage_asset(lake, merged, checks=checks.MERGED, automatic=True)]
