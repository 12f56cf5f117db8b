"""Metrics that run late, on fewer images than the pass: one asset and one table each."""

import dagster as dg

from dataproc_assets.defs.result import table_result
from dataproc_assets.defs.run_pass import run_pass
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.tables import late_folder, late_pending, late_rows, with_columns
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import make_units
from dataproc_assets.transforms.merge_metrics import merge_metrics


def late_metric(lake: Lake, name: str) -> dg.AssetsDefinition:
    """The asset of a metric that runs on what the prefilter kept, or on representatives."""

    def body(
        context: dg.AssetExecutionContext, lake: Lake, source: str | None = None
    ) -> dg.MaterializeResult:
        inputs, metric = lake.inputs(name, source), lake.project.metrics[name]
        left = late_pending(lake, name, source)
        units = make_units(left, lake.project.profile.storage.unit_images)
        folder = late_folder(source)
        run_pass(context, lake, folder, {name: metric}, units)
        parts = with_columns(lake.parts.read(name, folder), metric)
        rows = merge_metrics(*late_rows(lake, name, source), {name: parts})
        info = lake.write(name, source, rows, inputs=inputs)
        return table_result(lake, name, source, info, {"scored_now": left.height})

    return stage_asset(lake, body, name=name, automatic=True, pool="gpu")


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this module."""
    project = lake.project
    return [late_metric(lake, name) for name in (*project.kept_metrics, *project.late_metrics)]
