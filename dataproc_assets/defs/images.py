"""Curation across the sources: which pictures are one image, and one row an image."""

from pathlib import Path
from tempfile import TemporaryDirectory

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
from dataproc_assets.defs.flags import flags
from dataproc_assets.defs.image_counts import MergeCounts
from dataproc_assets.defs.image_parts import write_images
from dataproc_assets.defs.near_duplicates import ACROSS, across
from dataproc_assets.defs.result import counts_metadata, gallery_links, table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.tables import dedup_everything
from dataproc_assets.safety.flags import quarantined
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger


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
    clusters = members.select("component", "image_key").filter(pl.len().over("component") > 1)
    by_component = ["component", "image_key"]
    lake.write("dedup_cross", None, clusters, key=by_component, table="clusters", inputs=inputs)
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
    """Merge what the sources say of each image; of those in the quarantine only the ids stay."""
    inputs, told = lake.inputs("images", None), MergeCounts()
    held = quarantined(flags(lake)).collect()
    with TemporaryDirectory(prefix="images-") as folder:
        info = write_images(lake, inputs, held, Path(folder), told.look)
    links = gallery_links(lake, "is:kept", dict(sorted(told.examples.items())))
    return table_result(lake, "images", None, info, {**told.metadata(), **links})


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this module."""
    return [
        stage_asset(lake, dedup_cross, checks=checks.DEDUP_CROSS, automatic=True),
        stage_asset(lake, images, checks=checks.IMAGES, automatic=True),
    ]
