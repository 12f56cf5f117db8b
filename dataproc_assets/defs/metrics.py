"""Metrics: one pass over the pixels for all that are asked for, and their parts as one table."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.defs.checks import metrics as checks
from dataproc_assets.defs.result import table_result
from dataproc_assets.defs.run_pass import run_pass
from dataproc_assets.defs.stage import partitions_def, stage_asset
from dataproc_assets.defs.tables import with_columns
from dataproc_assets.defs.takedowns import note_copies, without_taken
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import read_units
from dataproc_assets.transforms.merge_metrics import merge_metrics


def metric_pass(lake: Lake) -> dg.AssetsDefinition:
    """One asset a metric of the pass; any subset of them shares one decode of each image."""
    metrics = lake.project.pass_metrics

    @dg.multi_asset(
        name="metric_pass",
        specs=[_spec(lake, metric) for metric in metrics.values()],
        partitions_def=partitions_def(lake.project, "source"),
        can_subset=True,
        pool="gpu",
    )
    def compute(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        source = context.partition_key
        asked = sorted(key.to_user_string() for key in context.selected_asset_keys)
        units = read_units(lake.store, layout.todo_path(source))
        done = run_pass(context, lake, source, {name: metrics[name] for name in asked}, units)
        for name in asked:
            parts = lake.parts.paths(name, source)
            yield dg.MaterializeResult(
                asset_key=name,
                data_version=dg.DataVersion(lake.parts.state(name, source)),
                metadata={
                    "fingerprint": lake.parts.fingerprint(name),
                    "parts": len(parts),
                    "dagster/row_count": lake.parts.done(name, source).collect().height,
                    **done,
                },
            )

    return compute


def _spec(lake: Lake, metric: MetricConfig) -> dg.AssetSpec:
    return dg.AssetSpec(
        metric.name,
        deps=["todo"],
        group_name="metrics",
        code_version=lake.parts.fingerprint(metric.name),
        kinds={metric.library, "parquet"},
        description=f"{(type(metric).__doc__ or '').strip()} In parts, one a unit of work.",
    )


def metrics_merged(
    context: dg.AssetExecutionContext, lake: Lake, source: str
) -> dg.MaterializeResult:
    """Join all parts at the images' present versions."""
    inputs, metrics = lake.inputs("metrics_merged", source), lake.project.pass_metrics.items()

    def read() -> pl.DataFrame:
        parts = {name: with_columns(lake.parts.read(name, source), m) for name, m in metrics}
        table = merge_metrics(lake.read("todo", source), lake.read("inventory", source), parts)
        return table.collect()

    rows = read()
    if copies := note_copies(lake, source, rows):
        context.log.warning(f"{source}: {copies} images show what was taken down, and go too")
    rows = without_taken(lake, source, rows)
    info = lake.write("metrics_merged", source, rows, inputs=inputs)
    context.log.info(f"{source}: {info.rows} images with metrics")
    return table_result(lake, "metrics_merged", source, info)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    merged = stage_asset(lake, metrics_merged, checks=checks.METRICS_MERGED, automatic=True)
    return [metric_pass(lake), merged]
