"""An inventory from a listing of image files, and how much of it may vanish at once."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

COLUMNS = ["image_key", "uri", "offset", "length", "size", "version", "modified", "ext"]


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
        files: `name`, `uri`, `offset`, `length`, `size`, `version`, `modified`.
        key: the image's key from `name`; null where the name is not one of the source's.

    Of the files of one key that with the smallest version counts, then the smallest address; the
    others are set aside. A repacked tar, whose members lie elsewhere, so gives the same image.
    """
    named = files.with_columns(
        image_key=key,
        ext=pl.col("name").str.extract(r"\.([^.]+)$").str.to_lowercase(),
    ).sort("image_key", "version", "uri", "offset", nulls_last=True)
    known = named.filter(pl.col("image_key").is_not_null())
    first = pl.col("image_key").is_first_distinct()
    member = pl.when(pl.col("offset").is_not_null()).then(pl.format(":{}", "name"))
    place = pl.concat_str("uri", member.otherwise(pl.lit(""))).alias("place")
    unnamed = named.filter(pl.col("image_key").is_null()).select(
        place, reason=pl.lit("the file's name is not one of the source's")
    )
    doubled = known.filter(~first).select(
        place, reason=pl.format("another file has the key {}", "image_key")
    )
    return known.filter(first).select(COLUMNS), pl.concat([unnamed, doubled])


def hold_removals(
    rows: pl.DataFrame,
    before: pl.DataFrame | None,
    limit: float,
    *,
    complete: bool = True,
    taken_at: datetime | None = None,
) -> Held:
    """Apply a removal only while its share of the old inventory is at most `limit`.

    Args:
        complete: whether the listing holds all that there is; if not, it removes nothing.
        taken_at: when the listing was taken, where that is not now. An image whose object is known
            to be newer stays as it is known: the listing cannot tell.
    """
    rows = rows.with_columns(removed=pl.lit(False))
    if before is None or before.is_empty():
        return Held(rows, rows.height, 0, 0.0, held_back=False)
    if "modified" not in before.columns:  # of a version that did not keep it
        before = before.with_columns(modified=pl.lit(None, rows.schema["modified"]))
    before = before.select(rows.columns)
    added = rows.join(before, on="image_key", how="anti").height
    if taken_at is not None:
        rows = _with_newer(rows, before, taken_at)
    gone = before.join(rows, on="image_key", how="anti")
    if not complete:
        return Held(pl.concat([rows, gone]).sort("image_key"), added, 0, 0.0, held_back=False)
    share = gone.height / before.height
    held_back = share > limit
    lost = gone.with_columns(removed=pl.lit(True))
    kept = pl.concat([rows, lost]).sort("image_key") if held_back else rows
    return Held(kept, added, gone.height, share, held_back)


def _with_newer(rows: pl.DataFrame, before: pl.DataFrame, taken_at: datetime) -> pl.DataFrame:
    """Rows of a listing, but those of the old inventory that are newer than it in their place."""
    listed = rows.select("image_key", listed="modified")
    newer = (
        before.filter(pl.col("modified") > taken_at)
        .join(listed, on="image_key", how="left")
        .filter(pl.col("listed").is_null() | (pl.col("modified") > pl.col("listed")))
        .drop("listed")
    )
    return pl.concat([rows.join(newer, on="image_key", how="anti"), newer]).sort("image_key")
