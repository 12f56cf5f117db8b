"""Distances of thumbnails that were measured before: the dearest part of deciding a pair."""

import hashlib

import polars as pl

from dataproc_assets.config.near_duplicates import distances_fingerprint
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import distances_path
from dataproc_assets.storage.parquet import from_parquet, to_parquet

SCHEMA = {
    "a": pl.String,
    "b": pl.String,
    "detail_distance": pl.Int32,
    "a_thumb": pl.String,
    "b_thumb": pl.String,
}


def known_distances(lake: Lake, what: str, details: pl.DataFrame) -> pl.DataFrame:
    """`a`, `b`, `detail_distance` of pairs whose thumbnails are those that were measured.

    `details` holds `image_key` and `detail`.
    """
    try:
        before = from_parquet(lake.store.get(_path(lake, what)))
    except FileNotFoundError:
        before = pl.DataFrame(schema=SCHEMA)
    now = _thumbs(details)
    for end in ("a", "b"):
        present = now.rename({"image_key": end, "thumb": f"{end}_thumb"})
        before = before.join(present, on=[end, f"{end}_thumb"], how="semi")
    return before.select("a", "b", "detail_distance")


def keep_distances(lake: Lake, what: str, edges: pl.DataFrame, details: pl.DataFrame) -> None:
    """Keep the distances of these edges, and no others, for the next time."""
    thumbs = _thumbs(details)
    measured = edges.filter(pl.col("detail_distance").is_not_null())
    for end in ("a", "b"):
        named = thumbs.rename({"image_key": end, "thumb": f"{end}_thumb"})
        measured = measured.join(named, on=end)
    rows = measured.select(*SCHEMA).sort("a", "b")
    lake.store.put(_path(lake, what), to_parquet(rows))


def _path(lake: Lake, what: str) -> str:
    return distances_path(distances_fingerprint(lake.project.dedup.detail), what)


def _thumbs(details: pl.DataFrame) -> pl.DataFrame:
    """The digest of each thumbnail."""
    rows = details.drop_nulls("detail")
    values = rows["detail"].to_numpy() if rows.height else ()
    digests = [hashlib.blake2b(value.tobytes(), digest_size=16).hexdigest() for value in values]
    thumbs = pl.Series("thumb", digests, pl.String)
    return rows.select("image_key").with_columns(thumbs)
