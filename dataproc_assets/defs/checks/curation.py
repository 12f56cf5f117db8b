"""Checks of a source's curation: every row is judged, every kept row can be binned."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.storage.lake import Lake

Outcome = tuple[bool, dict[str, Any]]


def _every_drop_has_a_reason(lake: Lake, source: str | None) -> Outcome:
    rows = lake.read("prefiltered", source).select("image_key", "keep", "drop_reason")
    wrong = rows.filter(pl.col("keep") == pl.col("drop_reason").is_not_null()).collect()
    return wrong.is_empty(), {
        "wrong": wrong.height,
        "examples": wrong["image_key"].head(10).to_list(),
    }


def _no_row_lost(lake: Lake, source: str | None) -> Outcome:
    before, after = (lake.info(name, source) for name in ("merged", "prefiltered"))
    rows = [info.rows if info else 0 for info in (before, after)]
    return rows[0] == rows[1], {"merged": rows[0], "prefiltered": rows[1]}


def _something_kept(lake: Lake, source: str | None) -> Outcome:
    kept = lake.read("prefiltered", source).select(pl.col("keep").sum()).collect().item()
    return kept > 0, {"kept": kept}


def _kept_rows_have_a_bucket(lake: Lake, source: str | None) -> Outcome:
    rows = lake.read("augmented", source).filter("keep", pl.col("bucket_width").is_null())
    wrong = rows.select("image_key").collect()["image_key"]
    return wrong.is_empty(), {"wrong": wrong.len(), "examples": wrong.head(10).to_list()}


PREFILTERED = (
    Check("no_row_lost", "The filter drops by a mark; no row goes.", _no_row_lost, blocking=True),
    Check("every_drop_has_a_reason", "A row is kept or says why not.", _every_drop_has_a_reason),
    Check("something_kept", "The rules keep at least one row.", _something_kept),
)
AUGMENTED = (
    Check("kept_rows_have_a_bucket", "Every kept row has a bucket.", _kept_rows_have_a_bucket),
)
