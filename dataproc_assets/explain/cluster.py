"""The pictures that a key was found equal to: members, edges, and who stands for whom."""

from typing import Any

import polars as pl

from dataproc_assets.explain.rules import values
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.lookup import matching, rows_of

EDGE = ("a", "b", "kind", "evidence", "cosine", "phash_distance", "detail_distance")
MEMBER = ("image_key", "image_id", "role", "representative", "drop_reason", "best_in_source")


def cluster(lake: Lake, key: str) -> dict[str, Any]:
    """The cluster of a key: `component`, `members` by key, `edges` and `borderline` pairs.

    `edges` are those among the members, each with its evidence; `variants` the ones from a member
    to a picture that is much alike and is kept apart. Empty where the search has not seen the key.
    """
    own = _rows(lake, "members", [key])
    if own.is_empty():
        return {}
    component = own["component"][0]
    keys = sorted({key, *_rows(lake, "clusters", [component])["image_key"]})
    members = _rows(lake, "members", keys)
    edges = _edges(lake, "dedup_cross", keys)
    inside = pl.col("a").is_in(keys) & pl.col("b").is_in(keys)
    alike = edges.filter(inside & (pl.col("kind") == "duplicate"))
    return {
        "component": component,
        "members": [values(row) for row in members.select(MEMBER).to_dicts()],
        "edges": [values(row) for row in alike.to_dicts()],
        "variants": [values(row) for row in edges.filter(pl.col("kind") != "duplicate").to_dicts()],
        "borderline": [values(row) for row in _edges(lake, "borderline", keys).to_dicts()],
    }


def _rows(lake: Lake, table: str, keys: list[str]) -> pl.DataFrame:
    return rows_of(lake.store, lake.path(table), keys)


def _edges(lake: Lake, table: str, keys: list[str]) -> pl.DataFrame:
    """The edges at one of these keys. They lie by their first end; few end at a cluster."""
    touch = pl.col("a").is_in(keys) | pl.col("b").is_in(keys)
    ending = matching(lake.store, lake.path(table), pl.col("b").is_in(keys), ["a"])["a"]
    return _rows(lake, table, [*keys, *ending]).filter(touch).select(EDGE).sort("a", "b")
