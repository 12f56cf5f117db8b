"""Sanitized: what may be released of a recipe's prompts, and the quarantine."""

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import sanitized as checks
from dataproc_assets.defs.flags import flags
from dataproc_assets.defs.result import (
    add_counts,
    count_reasons,
    gallery_links,
    reasons_metadata,
    table_result,
)
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.verdicts import verdicts
from dataproc_assets.safety.flags import quarantined
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import append_ledger


def sanitized(context: dg.AssetExecutionContext, lake: Lake, recipe: str) -> dg.MaterializeResult:
    """Decide what may be released; what falls under a never rule goes to the quarantine."""
    inputs = lake.inputs("sanitized", recipe)
    table = lake.writer("sanitized", recipe, key=["image_id", "variant"])
    drops: list[pl.DataFrame] = []
    examples: dict[str, str] = {}
    for part in verdicts(lake, recipe):
        table.add(part.rows, part.count, part.number)
        drops.append(count_reasons(part.rows.lazy(), "drop_reason"))
        examples = {**_examples(part.rows), **examples}
    info = table.finish(inputs, lake.code_version("sanitized", recipe))
    held = quarantined(flags(lake)).with_columns(rule=pl.lit("never")).collect()
    new = append_ledger(lake.store, "quarantine", held)
    counts = add_counts(drops)
    context.log.info(f"{recipe}: {info.rows - counts['rows'].sum()} of {info.rows} prompts kept")
    metadata = {
        "drops": reasons_metadata(counts),
        "quarantined": held.height,
        "newly_quarantined": new,
        **gallery_links(lake, f"recipe:{recipe}", dict(sorted(examples.items()))),
    }
    return table_result(lake, "sanitized", recipe, info, metadata)


def _examples(rows: pl.DataFrame) -> dict[str, str]:
    """An image of each reason by which some are dropped."""
    first = rows.drop_nulls("drop_reason").unique("drop_reason", keep="first", maintain_order=True)
    return dict(first.select("drop_reason", "image_id").rows())


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this module."""
    return [stage_asset(lake, sanitized, checks=checks.SANITIZED, automatic=True)]
