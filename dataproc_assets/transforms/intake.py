"""Columns of the records that only intake's rules need: age, size, the best work of an artist."""

from collections.abc import Iterable, Sequence
from datetime import date

import polars as pl

from dataproc_assets.transforms.tagged import ai_flag

_DAY = 86_400_000_000


def best_of_artists(records: pl.LazyFrame) -> pl.LazyFrame:
    """`artist` and `best`, the most `favourites` of a record of theirs; null where unknown."""
    by_artist = _by_artist(records)
    return by_artist.group_by("artist").agg(pl.col("favourites").max().alias("best"))


def best_of_parts(parts: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """The `best_of_artists` of records that come in parts, of which one is held at a time."""
    bests = pl.concat([best_of_artists(part).collect() for part in parts])
    return bests.group_by("artist").agg(pl.col("best").max())


def _by_artist(records: pl.LazyFrame) -> pl.LazyFrame:
    by_artist = records.select("image_key", "favourites", pl.col("artist_ids").alias("artist"))
    return by_artist.explode("artist").drop_nulls("artist")


def add_intake_columns(
    records: pl.LazyFrame,
    as_of: date,
    ai_tags: Sequence[str] = (),
    best: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Add what a source's rules may read beside the columns of its records.

    `short_side` Int32 is the smaller of width and height in pixels, null where one is unknown. `ai`
    is yes too where a record has one of `ai_tags`. Also `age_days` and `artist_best_favourites`,
    both Int64:

    `age_days` is the count of whole days from `created` to midnight UTC of `as_of`, rounded down;
    a record newer than that is negative. `artist_best_favourites` is the most `favourites` of any
    record that shares an artist with this one: null where the artist or all counts are unknown.
    `best` is the `best_of_parts` of all records, where these are only a part of them.
    """
    start = pl.lit(as_of).cast(pl.Datetime("us", "UTC"))
    best_by_key = (
        _by_artist(records)
        .join(best_of_artists(records) if best is None else best, on="artist")
        .group_by("image_key")
        .agg(pl.col("best").max().alias("artist_best_favourites"))
    )
    age = (start - pl.col("created")).dt.total_microseconds() // _DAY
    short = pl.when(pl.col("width").is_not_null(), pl.col("height").is_not_null()).then(
        pl.min_horizontal("width", "height")
    )
    added = (age.alias("age_days"), short.alias("short_side"), ai_flag(ai_tags))
    return records.with_columns(added).join(
        best_by_key, on="image_key", how="left", maintain_order="left"
    )
