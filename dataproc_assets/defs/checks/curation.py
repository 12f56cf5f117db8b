"""Checks of a source's curation: every row is judged, every kept row can be binned."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.storage.lake import Lake

EXAMPLES = 10
Outcome = tuple[bool, dict[str, Any]]


def _wrong(lake: Lake, table: str, source: str | None, wrong: pl.Expr) -> Outcome:
    """That no row is wrong; the table is read a bucket at a time."""
    keys = pl.concat(
        rows.filter(wrong).select("image_key").collect()
        for rows in lake.read_buckets(table, source)
    )["image_key"].sort()
    return keys.is_empty(), {"wrong": keys.len(), "examples": keys.head(EXAMPLES).to_list()}


def _every_drop_has_a_reason(lake: Lake, source: str | None) -> Outcome:
    unexplained = pl.col("keep") == pl.col("drop_reason").is_not_null()
    return _wrong(lake, "prefiltered", source, unexplained)


def _no_row_lost(lake: Lake, source: str | None) -> Outcome:
    before, after = (lake.info(name, source) for name in ("merged", "prefiltered"))
    rows = [info.rows if info else 0 for info in (before, after)]
    return rows[0] == rows[1], {"merged": rows[0], "prefiltered": rows[1]}


def _something_kept(lake: Lake, source: str | None) -> Outcome:
    kept = sum(
        rows.select(pl.col("keep").sum()).collect().item()
        for rows in lake.read_buckets("prefiltered", source)
    )
    return kept > 0, {"kept": kept}


def _kept_rows_have_a_bucket(lake: Lake, source: str | None) -> Outcome:
    return _wrong(lake, "augmented", source, pl.col("keep") & pl.col("bucket_width").is_null())


def _no_post_is_after_as_of(lake: Lake, source: str | None) -> Outcome:
    passed, found = _wrong(lake, "augmented", source, pl.col("tier_reason") == "after_as_of")
    return passed, {"as_of": lake.project.curation.as_of.isoformat(), **found}


PREFILTERED = (
    Check("no_row_lost", "The filter drops by a mark; no row goes.", _no_row_lost, blocking=True),
    Check("every_drop_has_a_reason", "A row is kept or says why not.", _every_drop_has_a_reason),
    Check("something_kept", "The rules keep at least one row.", _something_kept),
)
AUGMENTED = (
    Check("kept_rows_have_a_bucket", "Every kept row has a bucket.", _kept_rows_have_a_bucket),
    Check(
        "no_post_is_after_as_of",
        "No post is newer than curation.yaml's `as_of`, to which ages are counted.",
        _no_post_is_after_as_of,
    ),
)
