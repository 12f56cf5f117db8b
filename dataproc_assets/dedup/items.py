"""What the search knows of each image: the columns of `items`, checked and in key order."""

import numpy as np
import polars as pl

from dataproc_assets.dedup.quantise import quantise

ITEM_SCHEMA = {
    "image_key": pl.String,
    "source": pl.String,
    "keep": pl.Boolean,
    "phash": pl.UInt64,
    "sha256": pl.String,
    "md5": pl.String,
    "record_md5": pl.String,
    "pixels": pl.Int64,
    "file_bytes": pl.Int64,
    "trust": pl.Float64,
    "url": pl.String,
    "post_url": pl.String,
    "linked_source": pl.String,
    "linked_pixiv_id": pl.String,
    "linked_pixiv_page": pl.Int32,
    "parent_id": pl.String,
    "post_id": pl.String,
    "page": pl.Int32,
}
"""Columns beside `embedding`, an Array of Float16 or Float32, and `detail`, an Array of UInt8 as
`planes` reads it; both null where never scored. Both may be all null where `Found` is given.

`md5` and `sha256` are of the bytes, `record_md5` is the platform's claim, `linked_source` is the
URL that a record names as its source. A column of nulls only may have any type.
"""

MEASURED = ("embedding", "detail")


def unmeasured(items: pl.DataFrame) -> pl.DataFrame:
    """Items without `MEASURED` columns, as those whose vectors and details a search has found."""
    return items.with_columns(pl.lit(None).alias(name) for name in MEASURED)


def prepare(items: pl.DataFrame) -> pl.DataFrame:
    """Items sorted by `image_key` with a row number `row`, all columns of `ITEM_SCHEMA` cast.

    Raises:
        ValueError: a column is missing, a key is null or occurs twice, or `source` or `keep`
            is null.
    """
    missing = [name for name in (*ITEM_SCHEMA, *MEASURED) if name not in items.columns]
    if missing:
        raise ValueError(f"items lack the columns {missing}: select them from the stage's tables")
    for name in ("image_key", "source", "keep"):
        if items[name].null_count():
            raise ValueError(f"items have {items[name].null_count()} nulls in {name!r}: fill them")
    repeated = items["image_key"].filter(items["image_key"].is_duplicated())
    if len(repeated):
        raise ValueError(f"items hold {repeated.min()!r} more than once: keys must be unique")
    return (
        items.select(*(pl.col(name).cast(kind) for name, kind in ITEM_SCHEMA.items()), *MEASURED)
        .sort("image_key")
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64))
    )


def scored_vectors(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers int64 (n,) of the scored rows and their quantised vectors int16 (n, d).

    Raises:
        ValueError: an embedding is zero or not finite; the image's key is named.
    """
    scored = rows.filter(pl.col("embedding").is_not_null())
    return scored["row"].to_numpy(), quantised(scored["image_key"], scored["embedding"])


def quantised(keys: pl.Series, embeddings: pl.Series) -> np.ndarray:
    """The vectors int16 (n, d) of an Array column without nulls; (0, 1) where it is empty.

    Raises:
        ValueError: an embedding is zero or not finite; the image's key is named.
    """
    if embeddings.is_empty():
        return np.empty((0, 1), np.int16)
    values = embeddings.to_numpy()
    good = np.isfinite(values).all(axis=1) & (values != 0).any(axis=1)
    if not good.all():
        key = keys[int(np.argmin(good))]
        raise ValueError(f"the embedding of {key!r} is zero or not finite: score the image again")
    return quantise(values)


def row_numbers(keys: pl.Series, rows: pl.DataFrame) -> np.ndarray:
    """Row number int64 (n,) of each key of an edge.

    Raises:
        ValueError: a key is not among the rows; it is named.
    """
    known = rows.select("image_key", "row")
    found = keys.to_frame("image_key").join(
        known, on="image_key", how="left", maintain_order="left"
    )
    unknown = found.filter(pl.col("row").is_null())
    if len(unknown):
        raise ValueError(
            f"an edge names {unknown['image_key'][0]!r}, which is no item: find the edges again"
        )
    return found["row"].to_numpy()
