"""What was dropped, by reason, with samples."""

import polars as pl

from dataproc_assets.gallery.cards import drawn
from dataproc_assets.gallery.reasons import dropped
from dataproc_assets.gallery.view import Page, View


def drops_page(view: View) -> Page:
    """`drops.html`: a section for each reason; the ids alone of what is quarantined."""
    config = view.config
    stages = {
        stage: drawn(rows, "image_key", config) for stage, rows in dropped(view.shown).items()
    }
    sections = []
    for reason in view.reasons[: config.reasons]:
        cards = []
        if reason.shows_pictures and reason.stage != "dedup":
            rows = stages[reason.stage].filter(pl.col("reason") == reason.name)
            cards = view.cards.listed(rows["image_key"].drop_nulls().head(config.samples))
        sections.append({"reason": reason, "cards": cards})
    ids = view.everything.quarantined.group_by("rule").agg(
        pl.col("image_key").unique().sort().head(config.ids)
    )
    by_rule = dict(ids.iter_rows())
    rules = [{**row, "ids": by_rule[row["rule"]]} for row in view.rules.iter_rows(named=True)]
    links = [(item["reason"].anchor, item["reason"].heading) for item in sections]
    values = {
        "sections": sections,
        "links": [*links, ("quarantine", "Quarantine")],
        "sources": view.sources,
        "rules": rules,
    }
    return Page("drops.html", "Drops", "drops", values, "drops.html")
