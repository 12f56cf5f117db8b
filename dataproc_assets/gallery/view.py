"""What every page is made from, and what a page is before it is rendered."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery.cards import Cards
from dataproc_assets.gallery.reasons import Reason, count_reasons, dropped
from dataproc_assets.gallery.tables import GalleryTables


@dataclass(frozen=True)
class Page:
    """A page: its file, the template that renders it, and the values the template reads.

    `section` is the file of the navigation's entry it belongs to.
    """

    file: str
    title: str
    template: str
    values: dict[str, Any]
    section: str


@dataclass(frozen=True)
class View:
    """The tables to count from (`everything`) and those to show from (`shown`, none withheld).

    Only names of stages, sources, reasons and rules may be copied out of `everything`.
    """

    everything: GalleryTables
    shown: GalleryTables
    cards: Cards
    config: GalleryConfig

    @cached_property
    def sources(self) -> list[str]:
        """The sources by name."""
        return self.everything.augmented["source"].drop_nulls().unique().sort().to_list()

    @cached_property
    def reasons(self) -> list[Reason]:
        """Every reason of every stage, with counts over all rows."""
        return count_reasons(dropped(self.everything), self.sources)

    @cached_property
    def rules(self) -> pl.DataFrame:
        """`rule`, `images`: the quarantined by rule, the largest first."""
        counts = self.everything.quarantined.group_by("rule").agg(
            images=pl.col("image_key").n_unique().cast(pl.Int64)
        )
        return counts.sort(["images", "rule"], descending=[True, False])
