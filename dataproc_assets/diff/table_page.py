"""The page that shows what changed in a stage table, with pictures of whom it touches."""

import polars as pl

from dataproc_assets.defs.gallery import gallery_tables
from dataproc_assets.diff.page import groups, picture_reader
from dataproc_assets.diff.table_report import by_columns, by_reason
from dataproc_assets.diff.tables import TableDifference
from dataproc_assets.gallery.cards import Cards
from dataproc_assets.gallery.extra import write_page
from dataproc_assets.gallery.view import Page
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.lookup import matching


def draw_table(lake: Lake, found: TableDifference) -> str:
    """Write `gallery/diff.html` and return its path. What must not be shown is not."""
    config = lake.project.gallery
    stands = _representatives(lake, found)

    def named(keys: dict[str, list[str]]) -> dict[str, list[str]]:
        return {reason: [stands.get(key, key) for key in some] for reason, some in keys.items()}

    def make(cards: Cards) -> Page:
        values = {
            "one": found.one,
            "other": found.other,
            "made_of": [(name, old[:12], new[:12]) for name, old, new in found.made_of],
            "moves": found.moves.to_dicts(),
            "groups": [
                *groups(cards, config, "added by", named(by_reason(found.added))),
                *groups(cards, config, "removed by", named(by_reason(found.removed))),
                *groups(cards, config, "changed in", named(by_columns(found.changed))),
            ],
        }
        title = f"{found.one.asked} → {found.other.asked}"
        return Page("diff.html", title, "table_diff", values, "diff.html")

    return write_page(lake.store, [gallery_tables(lake)], picture_reader(lake), config, make)


def _representatives(lake: Lake, found: TableDifference) -> dict[str, str]:
    """Of a table of images, the key whose picture stands for each id."""
    if found.other.info.key[0] != "image_id" or lake.info("images") is None:
        return {}
    names = [*found.added["image_id"], *found.removed["image_id"], *found.changed["image_id"]]
    where = pl.col("image_id").is_in(names)
    rows = matching(lake.store, lake.path("images"), where, ["image_id", "representative"])
    return dict(rows.iter_rows())
