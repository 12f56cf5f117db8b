"""The members table: what became of each image in the search, and for whose sake."""

import numpy as np
import polars as pl

from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.dedup.clusters import NOBODY, components, representatives, total_order
from dataproc_assets.dedup.identity import image_ids
from dataproc_assets.dedup.items import prepare, row_numbers

MEMBER_SCHEMA = {
    "image_key": pl.String,
    "source": pl.String,
    "component": pl.String,
    "image_id": pl.String,
    "representative": pl.String,
    "role": pl.String,
    "keep": pl.Boolean,
    "drop_reason": pl.String,
    "best_in_source": pl.Boolean,
}


def build_members(
    items: pl.DataFrame, edges: pl.DataFrame, ledger: pl.DataFrame, config: DedupConfig
) -> pl.DataFrame:
    """One row an item in `MEMBER_SCHEMA`, sorted by key.

    `role` is "representative", "duplicate" or, for a row not kept before, "dropped": it hangs
    on the best representative it has an edge to, or has no image (`image_id` null).
    `best_in_source` marks the one best row of each image in each source, kept rows first.

    Raises:
        ValueError: an edge names a key that is not among the items.
    """
    rows = prepare(items)
    duplicates = edges.filter(pl.col("kind") == "duplicate")
    i, j = (row_numbers(duplicates[end], rows) for end in ("a", "b"))
    rank = total_order(rows, config.order)
    standing = representatives(rank, rows["keep"].to_numpy(), i, j)
    keys = rows["image_key"]
    base = (
        rows.select("row", "image_key", "source", "keep")
        .with_columns(
            component=pl.Series(components(len(rows), i, j)),
            representative=keys.gather(pl.Series(np.where(standing == NOBODY, 0, standing))),
            has_image=pl.Series(standing != NOBODY),
            rank=pl.Series(rank),
        )
        .with_columns(
            component=pl.col("image_key").min().over("component"),
            representative=pl.when("has_image").then("representative"),
        )
    )
    ids = image_ids(base.filter("has_image").select("image_key", "representative"), ledger)
    return (
        base.join(ids, on="representative", how="left")
        .join(_evidence(duplicates), on=["image_key", "representative"], how="left")
        .with_columns(_role(), best_in_source=_best_in_source())
        .with_columns(keep=pl.col("role") == "representative", drop_reason=_reason())
        .select(*MEMBER_SCHEMA)
        .sort("image_key")
    )


def _evidence(duplicates: pl.DataFrame) -> pl.DataFrame:
    """`evidence` of each edge in both directions, as (image_key, representative)."""
    return pl.concat(
        duplicates.select("evidence", image_key=member, representative=standing)
        for member, standing in (("a", "b"), ("b", "a"))
    )


def _role() -> pl.Expr:
    return (
        pl.when(~pl.col("keep"))
        .then(pl.lit("dropped"))
        .when(pl.col("image_key") == pl.col("representative"))
        .then(pl.lit("representative"))
        .otherwise(pl.lit("duplicate"))
        .alias("role")
    )


def _best_in_source() -> pl.Expr:
    place = pl.struct(~pl.col("keep"), "rank").rank("ordinal").over("image_id", "source")
    return (place == 1) & pl.col("image_id").is_not_null()


def _reason() -> pl.Expr:
    joined = pl.col("evidence").list.join(", ")
    return (
        pl.when(pl.col("role") == "duplicate")
        .then(pl.format("duplicate of {}: {}", "representative", joined))
        .when(pl.col("role") == "dropped")
        .then(pl.lit("dropped before the search"))
    )
