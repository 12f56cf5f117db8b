"""Metadata: records and metrics of a source in its namespace."""

import dagster as dg

from dataproc_assets.defs.checks import metadata as checks
from dataproc_assets.defs.result import table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.sources.merger import merge_source
from dataproc_assets.storage.lake import Lake


def merged(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Join records, metrics and the intake's verdict by the source's merger."""
    inputs = lake.inputs("merged", source)
    rows = merge_source(
        lake.read("records", source),
        lake.read("metrics_merged", source),
        lake.read("todo", source),
        lake.project.sources[source],
    )
    info = lake.write("merged", source, rows, inputs=inputs)
    context.log.info(f"{source}: {info.rows} keys, each with what is known of it")
    return table_result(lake, "merged", source, info)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [stage_asset(lake, merged, checks=checks.MERGED, automatic=True)]
