"""A picture with the few facts that stand below it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl
import polars_hash as plh

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery.pictures import Wanted, is_digest
from dataproc_assets.gallery.tables import GalleryTables

RATINGS = ["general", "sensitive", "questionable", "explicit"]


@dataclass(frozen=True)
class Card:
    """One image as it is shown; `sha256` names its thumbnail, null where there is no picture."""

    key: str
    sha256: str | None
    title: str
    rating: str | None
    facts: list[str]
    reasons: list[str]
    veiled: bool


class Cards:
    """The cards of the images that may be shown. Remembers which pictures were asked for.

    Attributes:
        rows: `augmented` with the images' addresses, and the highest `rating` of any source.
    """

    def __init__(self, tables: GalleryTables, config: GalleryConfig) -> None:
        self._config = config
        self._wanted: dict[str, Wanted] = {}
        order = pl.Enum(RATINGS)
        merged = (
            tables.images.select("rating", image_key="members")
            .explode("image_key")
            .group_by("image_key")
            .agg(merged=pl.col("rating").cast(order, strict=False).max())
        )
        # A picture that another source rates higher is veiled on every page.
        self.rows = (
            tables.augmented.join(tables.addresses, on="image_key", how="left")
            .join(merged, on="image_key", how="left")
            .with_columns(
                rating=pl.max_horizontal(pl.col("rating").cast(order, strict=False), "merged").cast(
                    pl.String
                )
            )
        )

    def of(self, keys: Iterable[str]) -> dict[str, Card]:
        """The cards by key; a key that may not be shown, or is not known, has none."""
        rows = self.rows.filter(pl.col("image_key").is_in(list(keys)))
        return {row["image_key"]: self._card(row) for row in rows.iter_rows(named=True)}

    def listed(self, keys: Iterable[str]) -> list[Card]:
        """The cards in the order of the keys, those that have none left out."""
        order = list(keys)
        found = self.of(order)
        return [found[key] for key in order if key in found]

    def wanted(self) -> list[Wanted]:
        """The pictures that the cards made so far need, sorted by digest."""
        return [self._wanted[digest] for digest in sorted(self._wanted)]

    def _card(self, row: dict[str, Any]) -> Card:
        digest, uri = row["pixels_sha256"], row["uri"]
        if digest is None or uri is None or not is_digest(digest):
            digest = None
        elif digest not in self._wanted:
            self._wanted[digest] = Wanted(digest, uri, row["offset"], row["length"])
        return card_of(row, digest, self._config)


def card_of(row: dict[str, Any], sha256: str | None, config: GalleryConfig) -> Card:
    """The card of a row of `Cards.rows`, with the picture that `sha256` names."""
    return Card(
        key=row["image_key"],
        sha256=sha256,
        title=shorten(row["title"], config.text_chars),
        rating=row["rating"],
        facts=_facts(row),
        reasons=[reason for reason in row["drop_reasons"] or [] if reason],
        veiled=row["rating"] in config.veiled_ratings,
    )


def drawn(rows: pl.DataFrame, column: str, config: GalleryConfig) -> pl.DataFrame:
    """The rows in the order of a hash of (seed, column): any head of them is a fair sample."""
    draw = plh.concat_str(pl.lit(f"{config.seed}:gallery:"), column)
    return rows.sort(draw.nchash.xxh3_64(), column)  # type: ignore[attr-defined]


def shorten(text: str | None, characters: int) -> str:
    """Text cut to so many characters, with an ellipsis where it was longer."""
    text = text or ""
    return text if len(text) <= characters else f"{text[:characters]}…"


def _facts(row: dict[str, Any]) -> list[str]:
    facts = [row["tier"]] if row["tier"] else []
    if row["year"] is not None:
        facts.append(str(row["year"]))
    if row["pixels_width"] and row["pixels_height"]:
        facts.append(f"{row['pixels_width']}\u00a0×\u00a0{row['pixels_height']}")
    if row["clip_score"] is not None:
        facts.append(f"score\u00a0{row['clip_score']:.2f}")
    return facts
