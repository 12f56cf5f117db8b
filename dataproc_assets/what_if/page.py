"""The page that shows what a changed setting would give, with pictures of whom it changes."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from dataproc_assets.defs.gallery import gallery_tables
from dataproc_assets.gallery.cards import Cards, drawn
from dataproc_assets.gallery.extra import write_page
from dataproc_assets.gallery.view import Page
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.base import DecodedImage
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.lake import Lake
from dataproc_assets.what_if.changes import Changes
from dataproc_assets.what_if.engine import Outcome


def draw(lake: Lake, found: Sequence[tuple[Outcome, Changes]]) -> str:
    """Write `gallery/what_if.html` and return its path.

    An image that must not be shown, as things are or as they would be, is not.
    """
    limits, config = lake.project.profile.decode, lake.project.gallery

    def read_picture(uri: str, offset: int | None, length: int | None) -> DecodedImage:
        return decode(read_address(uri, offset, length, limits.max_bytes), limits)

    def make(cards: Cards) -> Page:
        outcomes = [_values(lake, cards, n, *pair) for n, pair in enumerate(found)]
        links = [(item["anchor"], item["name"]) for item in outcomes]
        values = {"outcomes": outcomes, "links": links}
        return Page("what_if.html", "What if", "what_if", values, "what_if.html")

    states = [gallery_tables(lake), *(one.tables for one, _ in found if one.tables is not None)]
    return write_page(lake.store, states, read_picture, config, make)


def _values(
    lake: Lake, cards: Cards, number: int, outcome: Outcome, changed: Changes
) -> dict[str, Any]:
    config, moves = lake.project.gallery, []
    for row in changed.moves.iter_rows(named=True):
        order = drawn(pl.DataFrame({"image_key": row["keys"]}), "image_key", config)
        shown = cards.listed(order["image_key"].head(config.samples))
        moves.append({**row, "cards": shown})
    counts = changed.counts.filter(changed.counts["now"] != changed.counts["then"])
    return {
        "anchor": f"setting-{number + 1}",
        "name": " ".join(outcome.settings),
        "made": outcome.made,
        "without": outcome.without,
        "counts": counts.to_dicts(),
        "prompts": changed.prompts,
        "moves": moves,
    }
