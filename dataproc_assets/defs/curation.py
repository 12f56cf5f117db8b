"""Curation of each source: what is kept, how it is binned, what repeats within it."""

import dagster as dg
import polars as pl

from dataproc_assets.dedup import find_edges
from dataproc_assets.dedup.items import unmeasured
from dataproc_assets.defs.checks import curation as checks
from dataproc_assets.defs.distances import keep_distances
from dataproc_assets.defs.near_duplicates import within
from dataproc_assets.defs.result import (
    count_reasons,
    counts_metadata,
    reasons_metadata,
    table_result,
)
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.tables import with_kept_metrics
from dataproc_assets.storage.lake import Lake
from dataproc_assets.transforms.augment import augment
from dataproc_assets.transforms.dedup_items import dedup_items
from dataproc_assets.transforms.namespace import strip_namespace
from dataproc_assets.transforms.prefilter import prefilter


def prefiltered(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Judge every row by the YAML's rules."""
    inputs, rules = lake.inputs("prefiltered", source), lake.project.curation.prefilter
    rows = prefilter(lake.read("merged", source), source, rules)
    info = lake.write("prefiltered", source, rows, inputs=inputs)
    table = lake.read("prefiltered", source)
    drops, kept = count_reasons(table, "drop_reason"), _kept(table)
    context.log.info(f"{source}: {kept} of {info.rows} rows kept")
    metadata = {"kept": kept, "dropped": info.rows - kept, "drops": reasons_metadata(drops)}
    return table_result(lake, "prefiltered", source, info, metadata)


def augmented(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Add what follows from a row and its group."""
    inputs = lake.inputs("augmented", source)
    judged = with_kept_metrics(lake, source, lake.read("prefiltered", source))
    rows = augment(judged, source, lake.project.curation)
    info = lake.write("augmented", source, rows, inputs=inputs)
    tiers = lake.read("augmented", source).filter("keep")
    metadata = {"tiers": counts_metadata(tiers, pl.coalesce("tier", "tier_reason"), "tier")}
    return table_result(lake, "augmented", source, info, metadata)


def dedup_intra(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Find the near-duplicate edges within a source."""
    inputs = lake.inputs("dedup_intra", source)
    rows = strip_namespace(lake.read("augmented", source), source)
    trust = pl.lit(lake.project.sources[source].trust.image)
    items = dedup_items(rows.with_columns(source=pl.lit(source)), trust)
    found, figures = within(context, lake, source)
    edges = find_edges(unmeasured(items), lake.project.dedup, found)
    if found.details is not None:
        keep_distances(lake, source, edges, found.details)
    info = lake.write("dedup_intra", source, edges, key=["a", "b"], inputs=inputs)
    context.log.info(f"{source}: {info.rows} edges among {items.height} rows")
    metadata = {
        "edges": counts_metadata(edges.lazy(), pl.col("kind"), "kind"),
        "search": dg.MetadataValue.json(dict(figures)),
    }
    return table_result(lake, "dedup_intra", source, info, metadata)


def _kept(table: pl.LazyFrame) -> int:
    return table.select(pl.col("keep").sum()).collect().item()


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [
        stage_asset(lake, prefiltered, checks=checks.PREFILTERED, automatic=True),
        stage_asset(lake, augmented, checks=checks.AUGMENTED, automatic=True),
        stage_asset(lake, dedup_intra, automatic=True),
    ]
