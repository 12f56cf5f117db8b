"""Curation across the sources: one image, one row, its prompts, and what may be released."""

import dagster as dg
import polars as pl

from dataproc_assets.dedup import (
    LEDGER_SCHEMA,
    build_members,
    certificate,
    find_cross_edges,
)
from dataproc_assets.dedup.items import unmeasured
from dataproc_assets.defs.checks import images as checks
from dataproc_assets.defs.distances import keep_distances
from dataproc_assets.defs.near_duplicates import ACROSS, across
from dataproc_assets.defs.result import (
    count_reasons,
    counts_metadata,
    reasons_metadata,
    table_result,
)
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.tables import all_rows, captions, dedup_everything, flags
from dataproc_assets.models.tokenizer import count_tokens
from dataproc_assets.safety.flags import quarantined, with_opt_out
from dataproc_assets.safety.verdict import verdict
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import append_ledger, read_ledger
from dataproc_assets.transforms.merge_fields import merge_images
from dataproc_assets.transforms.prompts import prompts as make_prompts
from dataproc_assets.transforms.units import texts_to_count


def dedup_cross(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """Find the edges between sources, and decide the members of each image."""
    inputs, project = lake.inputs("dedup_cross", None), lake.project
    items = unmeasured(dedup_everything(lake))
    within = lake.read_all("dedup_intra").collect()
    found, figures = across(context, lake)
    between = find_cross_edges(items, project.dedup, found)
    if found.details is not None:
        keep_distances(lake, ACROSS, between, found.details)
    edges = pl.concat([within, between]).sort("a", "b")
    identity = (
        read_ledger(lake.store, "identity").select(*LEDGER_SCHEMA).unique(maintain_order=True)
    )
    members = build_members(items, edges, identity, project.dedup)
    lake.write("dedup_cross", None, members, table="members", inputs=inputs)
    evidence = certificate(items, edges, project.dedup, found=found)
    keys = ["a", "b"]
    lake.write("dedup_cross", None, evidence.nearest, key=keys, table="borderline", inputs=inputs)
    info = lake.write("dedup_cross", None, edges, key=keys, inputs=inputs)
    context.log.info(f"{info.rows} edges among {items.height} rows")
    metadata = {
        "edges": counts_metadata(edges.lazy(), pl.col("kind"), "kind"),
        "roles": counts_metadata(members.lazy(), pl.col("role"), "role"),
        "search": dg.MetadataValue.json(dict(figures)),
        "certificate": dg.MetadataValue.json(evidence.figures),
    }
    return table_result(lake, "dedup_cross", None, info, metadata)


def images(context: dg.AssetExecutionContext, lake: Lake) -> dg.MaterializeResult:
    """Merge what the sources say of each image."""
    inputs, project = lake.inputs("images", None), lake.project
    trust = {name: source.trust for name, source in project.sources.items()}
    rows = with_opt_out(all_rows(lake), project.safety)
    merged = merge_images(lake.read("members"), rows, project.curation, trust, captions(lake))
    info = lake.write("images", None, merged, key="image_id", inputs=inputs)
    table = lake.read("images")
    metadata = {
        "ratings": counts_metadata(table, pl.col("rating"), "rating"),
        "tiers": counts_metadata(table, pl.col("tier"), "tier"),
        "sources_an_image": counts_metadata(table, pl.col("sources").list.len(), "sources"),
    }
    return table_result(lake, "images", None, info, metadata)


def prompts(context: dg.AssetExecutionContext, lake: Lake, recipe: str) -> dg.MaterializeResult:
    """Write a recipe's prompts."""
    inputs, config = lake.inputs("prompts", recipe), lake.project.recipes[recipe]
    table = lake.read("images")
    texts = texts_to_count(table, config).collect()["text"].to_list()
    counts = pl.LazyFrame(
        {"text": texts, "tokens": count_tokens(texts)},
        schema={"text": pl.String, "tokens": pl.Int32},
    )
    rows = make_prompts(table, config, counts)
    info = lake.write("prompts", recipe, rows, key=["image_id", "variant"], inputs=inputs)
    cut = pl.col("cut").list.len()
    shown = lake.read("prompts", recipe).select(
        pl.col("prompt").head(5).implode(), (cut > 0).sum().alias("cut")
    )
    examples, over = shown.collect().row(0)
    metadata = {"examples": "\n\n".join(examples), "prompts_over_budget": over}
    return table_result(lake, "prompts", recipe, info, metadata)


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
    return [
        stage_asset(lake, dedup_cross, checks=checks.DEDUP_CROSS, automatic=True),
        stage_asset(lake, images, checks=checks.IMAGES, automatic=True),
        stage_asset(lake, prompts, checks=checks.PROMPTS, automatic=True),
        stage_asset(lake, sanitized, checks=checks.SANITIZED, automatic=True),
    ]
