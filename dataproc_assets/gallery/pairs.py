"""Pairs of pictures at the lines that decide: just above and below the cosine, and the pHash."""

from typing import Any

import polars as pl

from dataproc_assets.gallery.view import Page, View


def pairs_page(view: View) -> Page:
    """`pairs.html`."""
    edges = view.shown.edges.drop_nulls("cosine")
    line = view.everything.cosine
    above = edges.filter(pl.col("cosine") >= line)
    measured = above.drop_nulls("phash_distance")
    parts = [
        (
            "above",
            "Just above the cosine threshold",
            above.sort("cosine", "a", "b"),
        ),
        (
            "below",
            "Just below the cosine threshold",
            edges.filter(pl.col("cosine") < line).sort(
                ["cosine", "a", "b"], descending=[True, False, False]
            ),
        ),
        (
            "far",
            "Duplicates with the largest pHash distance",
            measured.filter(pl.col("kind") == "duplicate").sort(
                ["phash_distance", "a", "b"], descending=[True, False, False]
            ),
        ),
        (
            "near",
            "Variants with the smallest pHash distance",
            measured.filter(pl.col("kind") == "variant").sort("phash_distance", "a", "b"),
        ),
    ]
    lists = [
        {
            "id": name,
            "title": title,
            "link": (name, title),
            "total": rows.height,
            "pairs": pair_list(view, rows),
        }
        for name, title, rows in parts
    ]
    values = {"cosine": line, "lists": lists}
    return Page("pairs.html", "Pairs at the threshold", "pairs", values, "pairs.html")


def pair_list(view: View, edges: pl.DataFrame) -> list[dict[str, Any]]:
    """The first edges as pairs of cards with what was measured, as many as the config says."""
    rows = edges.head(view.config.pairs)
    cards = view.cards.of([*rows["a"], *rows["b"]])
    return [
        {**row, "first": cards[row["a"]], "second": cards[row["b"]]}
        for row in rows.iter_rows(named=True)
        if row["a"] in cards and row["b"] in cards
    ]
