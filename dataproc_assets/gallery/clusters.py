"""Clusters of duplicates with what joined them, and pairs that were kept apart."""

from typing import Any

import polars as pl

from dataproc_assets.gallery.cards import Card, drawn
from dataproc_assets.gallery.pairs import pair_list
from dataproc_assets.gallery.view import Page, View


def clusters_page(view: View) -> Page:
    """`clusters.html`: the largest clusters, some drawn by hash, variants and doubted links."""
    config = view.config
    sizes = (
        view.shown.members.filter(pl.col("role").is_in(["representative", "duplicate"]))
        .group_by("component")
        .agg(
            size=pl.len(),
            representative=pl.col("representative").drop_nulls().first(),
            keys=pl.col("image_key").sort(),
        )
        .filter(pl.col("size") > 1, pl.col("representative").is_not_null())
        .sort(["size", "component"], descending=[True, False])
    )
    largest = sizes.head((config.clusters + 1) // 2)
    rest = drawn(sizes.slice(largest.height), "component", config)
    some = rest.head(config.clusters - largest.height).sort("component")

    def kind(name: str) -> dict[str, Any]:
        rows = drawn(view.shown.edges.filter(pl.col("kind") == name), "a", config)
        return {"total": rows.height, "pairs": pair_list(view, rows)}

    values = {
        "total": sizes.height,
        "duplicates": sizes["size"].sum() - sizes.height,
        "largest": _clusters(view, largest),
        "drawn": _clusters(view, some),
        "variants": kind("variant"),
        "mismatches": kind("link_mismatch"),
    }
    return Page("clusters.html", "Clusters", "clusters", values, "clusters.html")


def _clusters(view: View, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Each cluster's representative, and its first duplicates with their evidence."""
    clusters = []
    for row in rows.iter_rows(named=True):
        edges = _evidence(view.shown.edges, row["keys"], row["representative"])
        keys = [key for key in row["keys"] if key != row["representative"]]
        shown = keys[: view.config.members]
        cards: dict[str, Card] = view.cards.of([row["representative"], *shown])
        if row["representative"] not in cards:
            continue
        duplicates = [{"card": cards[key], "edge": edges.get(key)} for key in shown if key in cards]
        clusters.append(
            {
                "size": row["size"],
                "representative": cards[row["representative"]],
                "duplicates": duplicates,
                "more": len(keys) - len(duplicates),
            }
        )
    return clusters


def _evidence(edges: pl.DataFrame, keys: list[str], representative: str) -> dict[str, Any]:
    """For each member the edge that joins it: to the representative, else its likest one."""
    inside = edges.filter(
        pl.col("kind") == "duplicate", pl.col("a").is_in(keys), pl.col("b").is_in(keys)
    )
    both = pl.concat(
        [inside.rename({"a": "key", "b": "other"}), inside.rename({"b": "key", "a": "other"})],
        how="diagonal",
    )
    best = both.with_columns(direct=pl.col("other") == representative).sort(
        ["direct", "cosine", "other"], descending=[True, True, False], nulls_last=True
    )
    first = best.unique("key", keep="first", maintain_order=True)
    return {row["key"]: row for row in first.iter_rows(named=True)}
