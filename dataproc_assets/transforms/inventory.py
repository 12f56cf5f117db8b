"""An inventory from a listing of image files, and how much of it may vanish at once."""

from dataclasses import dataclass

import polars as pl

COLUMNS = ["image_key", "uri", "offset", "length", "size", "version", "ext"]


@dataclass(frozen=True)
class Held:
    """An inventory against the one before it.

    `removed` counts the keys that the new listing lacks. Where their share of the old inventory
    is over the limit, `held_back` is true and `rows` still has them, with `removed` set.
    """

    rows: pl.DataFrame
    added: int
    removed: int
    removed_share: float
    held_back: bool


def inventory_rows(files: pl.DataFrame, key: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Image files as inventory rows, and those set aside as `place`, `reason`.

    Args:
        files: `name`, `uri`, `offset`, `length`, `size`, `version`.
        key: the image's key from `name`; null where the name is not one of the source's.

    Two files of one key are set aside but the one with the smallest address.
    """
    named = files.with_columns(
        image_key=key,
        ext=pl.col("name").str.extract(r"\.([^.]+)$").str.to_lowercase(),
    ).sort("image_key", "uri", "offset", nulls_last=True)
    known = named.filter(pl.col("image_key").is_not_null())
    first = pl.col("image_key").is_first_distinct()
    place = pl.format("{}:{}", "uri", "name").alias("place")
    unnamed = named.filter(pl.col("image_key").is_null()).select(
        place, reason=pl.lit("the file's name is not one of the source's")
    )
    doubled = known.filter(~first).select(
        place, reason=pl.format("another file has the key {}", "image_key")
    )
    return known.filter(first).select(COLUMNS), pl.concat([unnamed, doubled])


def hold_removals(rows: pl.DataFrame, before: pl.DataFrame | None, limit: float) -> Held:
    """Apply a removal only while its share of the old inventory is at most `limit`."""
    rows = rows.with_columns(removed=pl.lit(False))
    if before is None or before.is_empty():
        return Held(rows, rows.height, 0, 0.0, held_back=False)
    added = rows.join(before, on="image_key", how="anti").height
    gone = before.join(rows, on="image_key", how="anti").with_columns(removed=pl.lit(True))
    share = gone.height / before.height
    held_back = share > limit
    kept = pl.concat([rows, gone]).sort("image_key") if held_back else rows
    return Held(kept, added, gone.height, share, held_back)
