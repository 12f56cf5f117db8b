"""Quality tiers and ratings by source."""

from typing import Any

import polars as pl

from dataproc_assets.gallery.cards import RATINGS, drawn
from dataproc_assets.gallery.view import Page, View

UNKNOWN = "unknown"


def tiers_page(view: View) -> Page:
    """`tiers.html`: counts over the rows that curation kept, samples of those that may be shown."""
    kept = view.everything.augmented.filter("keep")
    tiers = _tiers(kept)
    shown = drawn(view.shown.augmented.filter("keep"), "image_key", view.config)
    samples = [
        {"anchor": f"source-{number}", "source": source, "tiers": groups}
        for number, source in enumerate(view.sources)
        if (groups := _samples(view, shown, source, tiers))
    ]
    values = {
        "tiers": _matrix(kept, "tier", tiers, view.sources),
        "ratings": _matrix(kept, "rating", RATINGS, view.sources),
        "no_tier": _matrix(kept.filter(pl.col("tier").is_null()), "tier_reason", [], view.sources),
        "sources": view.sources,
        "samples": samples,
        "links": [
            ("tiers", "Tiers"),
            ("ratings", "Ratings"),
            *[(item["anchor"], f"Samples of {item['source']}") for item in samples],
        ],
    }
    return Page("tiers.html", "Tiers and ratings", "tiers", values, "tiers.html")


def _tiers(rows: pl.DataFrame) -> list[str]:
    """The tiers, the highest percentiles first."""
    means = rows.drop_nulls("tier").group_by("tier").agg(pl.col("tier_percentile").mean())
    return means.sort(["tier_percentile", "tier"], descending=[True, False], nulls_last=True)[
        "tier"
    ].to_list()


def _matrix(
    rows: pl.DataFrame, column: str, order: list[str], sources: list[str]
) -> list[dict[str, Any]]:
    """A line for each value, with its count by source; the values not in `order` come last."""
    value = pl.col(column).fill_null(UNKNOWN)
    cells = {
        (name, source): number
        for name, source, number in rows.group_by(value, "source").len().iter_rows()
    }
    present = {name for name, _ in cells}
    names = [name for name in order if name in present] + sorted(present - set(order))
    lines = []
    for name in names:
        counts = {source: cells.get((name, source), 0) for source in sources}
        lines.append({"name": name, "counts": counts, "total": sum(counts.values())})
    return lines


def _samples(view: View, rows: pl.DataFrame, source: str, tiers: list[str]) -> list[dict[str, Any]]:
    """The tiers that a source has, each with its samples."""
    own = rows.filter(pl.col("source") == source)
    groups = []
    for tier in tiers:
        keys = own.filter(pl.col("tier") == tier)["image_key"]
        cards = view.cards.listed(keys.head(view.config.tier_samples))
        if cards:
            groups.append({"tier": tier, "cards": cards})
    return groups
