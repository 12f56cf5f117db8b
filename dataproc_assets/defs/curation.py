"""Curation of each source: what is kept, how it is binned, what repeats within it."""

from itertools import accumulate

import dagster as dg
import polars as pl

from dataproc_assets.dedup import find_edges
from dataproc_assets.dedup.items import unmeasured
from dataproc_assets.defs.checks import curation as checks
from dataproc_assets.defs.distances import keep_distances
from dataproc_assets.defs.near_duplicates import within
from dataproc_assets.defs.result import (
    count_values,
    counts_metadata,
    frame_metadata,
    reasons_metadata,
    table_result,
    values_metadata,
)
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.table_parts import table_parts
from dataproc_assets.defs.tables import with_kept_metrics
from dataproc_assets.storage.lake import Lake
from dataproc_assets.transforms.augment import augment
from dataproc_assets.transforms.dedup_items import dedup_items
from dataproc_assets.transforms.funnel import rule_funnel, rule_hits
from dataproc_assets.transforms.namespace import strip_namespace
from dataproc_assets.transforms.prefilter import prefilter
from dataproc_assets.transforms.tiers import rank_posts, ranked_posts


def prefiltered(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Judge every row by the YAML's rules."""
    inputs, rules = lake.inputs("prefiltered", source), lake.project.curation.prefilter
    hits: list[pl.DataFrame] = []
    with table_parts(lake, {"merged": source}) as parts:
        info = parts.write(
            "prefiltered",
            source,
            inputs,
            lambda part: prefilter(parts.read("merged", part), source, rules).collect(),
            lambda rows: hits.append(rule_hits(rows.lazy()).collect()),
        )
    at_intake = lake.project.sources[source].prefilter
    names = ([rule.name for rule in some] for some in (at_intake, rules))
    funnel = rule_funnel(pl.concat(hits), info.rows, *names)
    kept = info.rows - int(funnel["decided"].sum())
    context.log.info(f"{source}: {kept} of {info.rows} rows kept")
    drops = funnel.filter(pl.col("decided") > 0).group_by(drop_reason="reason")
    counted = drops.agg(rows=pl.col("decided").sum())
    metadata = {
        "kept": kept,
        "dropped": info.rows - kept,
        "drops": reasons_metadata(counted.sort("rows", "drop_reason", descending=[True, False])),
        "funnel": frame_metadata(funnel),
    }
    return table_result(lake, "prefiltered", source, info, metadata)


def augmented(context: dg.AssetExecutionContext, lake: Lake, source: str) -> dg.MaterializeResult:
    """Add what follows from a row and its group."""
    inputs, curation = lake.inputs("augmented", source), lake.project.curation
    config, late = curation.augment, lake.project.kept_metrics
    counts: list[pl.DataFrame] = []
    with table_parts(lake, dict.fromkeys(("prefiltered", *late), source)) as parts:

        def slim(part: int) -> pl.DataFrame:
            return ranked_posts(parts.read("prefiltered", part), source, config.tiers).collect()

        posts = list(parts.each(slim))  # a place is one among all parts
        ends = list(accumulate((some.height for some in posts), initial=0))
        tiers = rank_posts(pl.concat(posts), config.tiers, curation.as_of)

        def add(part: int) -> pl.DataFrame:
            judged, own = parts.read("prefiltered", part), tiers[ends[part] : ends[part + 1]]
            tables = {name: parts.read(name, part) for name in late}
            rows = with_kept_metrics(lake.project, source, judged, tables).collect()
            return augment(rows, own, source, config).collect()

        tier = pl.coalesce("tier", "tier_reason")
        info = parts.write(
            "augmented",
            source,
            inputs,
            add,
            lambda rows: counts.append(count_values(rows.lazy().filter("keep"), tier)),
        )
    metadata = {"tiers": values_metadata(counts, "tier")}
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


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this group."""
    return [
        stage_asset(lake, prefiltered, checks=checks.PREFILTERED, automatic=True),
        stage_asset(lake, augmented, checks=checks.AUGMENTED, automatic=True),
        stage_asset(lake, dedup_intra, automatic=True),
    ]
