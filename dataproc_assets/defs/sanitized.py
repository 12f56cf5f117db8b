"""Sanitized: what may be released of a recipe's prompts, and the quarantine."""

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import sanitized as checks
from dataproc_assets.defs.result import count_reasons, reasons_metadata, table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.tables import flags
from dataproc_assets.safety.flags import quarantined
from dataproc_assets.safety.verdict import verdict
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import append_ledger


def sanitized(context: dg.AssetExecutionContext, lake: Lake, recipe: str) -> dg.MaterializeResult:
    """Decide what may be released; what falls under a never rule goes to the quarantine."""
    inputs, safety = lake.inputs("sanitized", recipe), lake.project.safety
    against = flags(lake).collect().lazy()
    rows = verdict(lake.read("prompts", recipe), lake.read("images"), against, safety)
    info = lake.write("sanitized", recipe, rows, key=["image_id", "variant"], inputs=inputs)
    held = quarantined(against).with_columns(rule=pl.lit("never")).collect()
    new = append_ledger(lake.store, "quarantine", held)
    table = lake.read("sanitized", recipe)
    drops = count_reasons(table, "drop_reason")
    context.log.info(f"{recipe}: {info.rows - drops['rows'].sum()} of {info.rows} prompts kept")
    metadata = {
        "drops": reasons_metadata(drops),
        "quarantined": held.height,
        "newly_quarantined": new,
    }
    return table_result(lake, "sanitized", recipe, info, metadata)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this module."""
    return [stage_asset(lake, sanitized, checks=checks.SANITIZED, automatic=True)]
