"""What the near-duplicate search is given of each image."""

import polars as pl

from dataproc_assets.transforms.merge_metrics import done_rows


def current_column(
    parts: pl.LazyFrame, inventory: pl.LazyFrame, metric: str, column: str
) -> pl.LazyFrame:
    """`image_key` and `column`, that is `{metric}_{column}`, of the images scored as they are now.

    All of a source that was never scored is no rows, of the type Null.
    """
    name = f"{metric}_{column}"
    if name not in parts.collect_schema():
        return pl.LazyFrame(schema={"image_key": pl.String, column: pl.Null})
    present = inventory.select("image_key", "version")
    return (
        done_rows(parts)
        .filter(pl.col("status") == "ok")
        .join(present, on=["image_key", "version"])
        .select("image_key", pl.col(name).alias(column))
    )


def dedup_items(rows: pl.LazyFrame, trust: pl.Expr) -> pl.DataFrame:
    """The items of the search, in key order: every known row, scored or not.

    Rows dropped before are items too: their links, hashes and likeness still speak for what is
    kept. `trust` is the trust in the source's pixels, from `source`.
    """
    return (
        rows.select(
            "image_key",
            "source",
            "keep",
            phash="pixels_phash",
            sha256="pixels_sha256",
            md5="pixels_md5",
            record_md5="md5",
            pixels="pixels",
            file_bytes="pixels_bytes",
            trust=trust,
            url="url",
            post_url="post_url",
            linked_source="linked_source",
            linked_pixiv_id="linked_pixiv_id",
            linked_pixiv_page="linked_pixiv_page",
            parent_id="parent_id",
            post_id="post_id",
            page="page",
        )
        .sort("image_key")
        .collect()
    )
