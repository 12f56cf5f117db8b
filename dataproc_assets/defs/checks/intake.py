"""Checks of the intake: unique keys, no mass removal, few rejects, a pass within the budget."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.storage import layout
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.units import iter_units
from dataproc_assets.transforms.pending import pass_seconds


def _unique_key(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    doubled = []
    for rows in lake.read_buckets("inventory", source):
        keys = rows.select("image_key").collect()["image_key"]
        doubled += keys.filter(keys.is_duplicated()).unique().to_list()
    return not doubled, {"doubled": len(doubled), "examples": sorted(doubled)[:10]}


def _removal_applied(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    limit = lake.project.sources[source or ""].removed_share_max
    counts = pl.len(), pl.col("removed").sum()
    rows = [table.select(counts).collect() for table in lake.read_buckets("inventory", source)]
    total, removed = pl.concat(rows).sum().row(0)
    return removed == 0, {"removed_but_held": removed, "rows": total, "removed_share_max": limit}


def _few_rejects(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    limit = lake.project.sources[source or ""].rejects_share_max
    table = lake.read("rejects", source)
    faults = table.filter(~pl.col("reason").str.starts_with("superseded by "))
    rejects = faults.select(pl.len()).collect().item()
    info = lake.info("records", source)
    records = info.rows if info else 0
    share = rejects / max(rejects + records, 1)
    return share <= limit, {"rejects": rejects, "share": share, "rejects_share_max": limit}


def _within_budget(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    units = iter_units(lake.store, layout.todo_path(source or ""))
    rate = lake.parts.rate(source or "")
    seconds = sum((pass_seconds(rows, rate.seconds) for _, rows in units), 0.0)
    limit = lake.project.profile.budget.pass_seconds
    return seconds <= limit, {"estimated_seconds": seconds, "pass_seconds": limit}


INVENTORY = (
    Check("unique_key", "No two images of a source have one key.", _unique_key, blocking=True),
    Check(
        "removal_applied",
        "No removal was held back: the share that vanished is within removed_share_max.",
        _removal_applied,
    ),
)
RECORDS = (
    Check(
        "few_rejects", "Rejects, but for superseded records, are within the share.", _few_rejects
    ),
)
TODO = (
    Check(
        "within_budget",
        "The pass that is due fits the profile's budget; over it, a person starts it.",
        _within_budget,
    ),
)
