"""The overview: the funnel, the drop reasons and the quarantine in numbers."""

import polars as pl

from dataproc_assets.gallery.funnel import draw_funnel
from dataproc_assets.gallery.view import Page, View


def overview_page(view: View) -> Page:
    """`index.html`."""
    tables = view.everything
    kept = [frame.filter("keep")["image_id"] for frame in tables.sanitized.values()]
    released = pl.concat(kept).n_unique() if kept else 0
    numbers = [
        ("rows of all sources", tables.augmented.height),
        ("kept by curation", tables.augmented["keep"].sum()),
        ("images after dedup", tables.images.height),
        ("kept by a recipe", released),
        ("quarantined", tables.quarantined["image_key"].n_unique()),
        ("releases", len(tables.releases)),
    ]
    cells = tables.funnel.select("stage", "source", "rows", "kept")
    values = {
        "numbers": numbers,
        "funnel": draw_funnel(tables.funnel, view.sources),
        "cells": cells.to_dicts(),
        "sources": view.sources,
        "reasons": view.reasons[: view.config.reasons],
        "more_reasons": max(len(view.reasons) - view.config.reasons, 0),
        "largest": max((reason.total for reason in view.reasons), default=0),
        "rules": view.rules.to_dicts(),
    }
    return Page("index.html", "Overview", "index", values, "index.html")
