"""Checks of the metrics: nothing of the pass is missing, and few images failed."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.storage.lake import Lake


def _complete(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    status = pl.col("metrics_status")
    rows = lake.read("metrics_merged", source).select(pl.len(), (status == "missing").sum())
    total, missing = rows.collect().row(0)
    return missing == 0, {"images": total, "missing": missing}


def _few_failures(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    limit = lake.project.sources[source or ""].failed_share_max
    failed = pl.col("metrics_status") == "failed"
    rows = lake.read("metrics_merged", source).select(pl.len(), failed.sum()).collect()
    total, count = rows.row(0)
    share = count / max(total, 1)
    return share <= limit, {"failed": count, "share": share, "failed_share_max": limit}


METRICS_MERGED = (
    Check("complete", "Every eligible image has a row from every metric.", _complete),
    Check("few_failures", "Images that cannot be decoded are within the share.", _few_failures),
)
