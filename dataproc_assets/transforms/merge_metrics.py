"""All parts of all metrics as one row an image."""

import polars as pl

BULKY = ("_embedding", "_detail")
"""Columns that end so stay in the parts: the search reads them there, and nothing else does."""


def done_rows(parts: pl.LazyFrame) -> pl.LazyFrame:
    """A metric's finished rows, one a (key, version): ok before failed, then by part."""
    return (
        parts.filter(pl.col("status") != "retry")
        .sort("image_key", "version", pl.col("status") != "ok", "part")
        .unique(["image_key", "version"], keep="first", maintain_order=True)
    )


def merge_metrics(
    eligible: pl.LazyFrame,
    inventory: pl.LazyFrame,
    parts: dict[str, pl.LazyFrame],
) -> pl.LazyFrame:
    """One row for every eligible image: its metrics at its present version.

    Returns: `image_key`, `metrics_status` ("ok", "failed", or "missing" where a metric has no
    row yet), `metrics_error` (the first metric's, by name), and every metric column but the
    `BULKY` ones.
    """
    rows = (
        eligible.filter(pl.col("intake_drop").is_null())
        .select("image_key")
        .join(inventory.select("image_key", "version"), on="image_key")
    )
    for metric, part in sorted(parts.items()):
        columns = [name for name in part.collect_schema() if name.startswith(f"{metric}_")]
        done = done_rows(part).select(
            "image_key",
            "version",
            pl.col("status").alias(f"__status_{metric}"),
            pl.col("error").alias(f"__error_{metric}"),
            *[name for name in columns if not name.endswith(BULKY)],
        )
        rows = rows.join(done, on=["image_key", "version"], how="left")
    states = [pl.col(f"__status_{metric}").fill_null("missing") for metric in sorted(parts)]
    errors = [pl.col(f"__error_{metric}") for metric in sorted(parts)]
    status = (
        pl.when(pl.any_horizontal(*[state == "failed" for state in states]))
        .then(pl.lit("failed"))
        .when(pl.any_horizontal(*[state == "missing" for state in states]))
        .then(pl.lit("missing"))
        .otherwise(pl.lit("ok"))
    )
    merged = rows.with_columns(metrics_status=status, metrics_error=pl.coalesce(*errors))
    names = [n for n in merged.collect_schema().names() if not n.startswith("__")]
    names.remove("version")
    lead = ["image_key", "metrics_status", "metrics_error"]
    return merged.select(*lead, *[n for n in names if n not in lead]).sort("image_key")
