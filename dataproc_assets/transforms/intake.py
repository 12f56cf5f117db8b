"""Columns of the records that only intake's rules need: age, and the best work of an artist."""

from datetime import date

import polars as pl

_DAY = 86_400_000_000


def add_intake_columns(records: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """Add `age_days` Int64 and `artist_best_favourites` Int64 to the records of one source.

    `age_days` is the count of whole days from `created` to midnight UTC of `as_of`, rounded down;
    a record newer than that is negative. `artist_best_favourites` is the most `favourites` of any
    record that shares an artist with this one: null where the artist or all counts are unknown.
    """
    start = pl.lit(as_of).cast(pl.Datetime("us", "UTC"))
    by_artist = records.select("image_key", "favourites", pl.col("artist_ids").alias("artist"))
    by_artist = by_artist.explode("artist").drop_nulls("artist")
    best = by_artist.group_by("artist").agg(pl.col("favourites").max().alias("best"))
    best_by_key = (
        by_artist.join(best, on="artist")
        .group_by("image_key")
        .agg(pl.col("best").max().alias("artist_best_favourites"))
    )
    age = (start - pl.col("created")).dt.total_microseconds() // _DAY
    return records.with_columns(age.alias("age_days")).join(
        best_by_key, on="image_key", how="left", maintain_order="left"
    )
