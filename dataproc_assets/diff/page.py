"""The page that shows a difference, with pictures of whom it touches."""

from typing import Any

import polars as pl

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.defs.gallery import gallery_tables
from dataproc_assets.diff.releases import Difference
from dataproc_assets.diff.report import SHIFTS, by_parts, by_reason
from dataproc_assets.gallery.cards import Cards, drawn
from dataproc_assets.gallery.extra import write_page
from dataproc_assets.gallery.pictures import ReadPicture
from dataproc_assets.gallery.view import Page
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.base import DecodedImage
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.lake import Lake


def picture_reader(lake: Lake) -> ReadPicture:
    """Reads a picture by its address, within the limits of the profile."""
    limits = lake.project.profile.decode

    def read(uri: str, offset: int | None, length: int | None) -> DecodedImage:
        return decode(read_address(uri, offset, length, limits.max_bytes), limits)

    return read


def groups(
    cards: Cards, config: GalleryConfig, kind: str, named: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """The keys of each reason: how many they are, and a draw of the pictures that may be shown."""
    told = []
    for reason, keys in named.items():
        pictures = pl.DataFrame({"image_key": keys}).unique()
        order = drawn(pictures, "image_key", config)["image_key"]
        shown = cards.listed(order.head(config.samples))
        told.append({"kind": kind, "reason": reason, "count": len(keys), "cards": shown})
    return told


def draw(lake: Lake, found: Difference, reasons: dict[str, list[str]]) -> str:
    """Write `gallery/diff.html` and return its path. What must not be shown is not."""
    config = lake.project.gallery

    def make(cards: Cards) -> Page:
        values = {
            "one": found.one,
            "other": found.other,
            "settings": [(".".join(p[1:]), old, new) for p, old, new in found.settings],
            "groups": [
                *groups(cards, config, "added", by_reason(found.added, reasons)),
                *groups(cards, config, "removed", by_reason(found.removed, reasons)),
                *groups(cards, config, "other prompts", by_parts(found.changed)),
            ],
            "balance": found.balance.head(2 * SHIFTS).to_dicts(),
        }
        title = f"{found.one.name} → {found.other.name}"
        return Page("diff.html", title, "diff", values, "diff.html")

    return write_page(lake.store, [gallery_tables(lake)], picture_reader(lake), config, make)
