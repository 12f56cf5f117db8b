"""Which keys of a source may be scored, and why the others may not."""

import polars as pl

NO_RECORD = "no_record"
NO_IMAGE = "no_image"


def eligibility(inventory: pl.LazyFrame, judged: pl.LazyFrame) -> pl.LazyFrame:
    """One row a known key: `image_key`, `has_image`, `has_record`, `image_ext`, and the reasons
    against it, `intake_drop` (the first) and `intake_drops` (all; empty where it is eligible).

    Args:
        inventory: the images on the bucket.
        judged: the records with `keep` and `drop_reasons` by the source's rules.
    """
    images = inventory.select("image_key", has_image=True, image_ext="ext")
    records = judged.select("image_key", "drop_reasons", has_record=True)
    rows = images.join(records, on="image_key", how="full", coalesce=True)
    rows = rows.with_columns(pl.col("has_image", "has_record").fill_null(False))
    reasons = pl.concat_list(
        _reason(~pl.col("has_image"), NO_IMAGE),
        _reason(~pl.col("has_record"), NO_RECORD),
        pl.col("drop_reasons").fill_null([]),
    ).list.drop_nulls()
    return (
        rows.with_columns(intake_drops=reasons)
        .select(
            "image_key",
            "has_image",
            "has_record",
            "image_ext",
            pl.col("intake_drops").list.first().alias("intake_drop"),
            "intake_drops",
        )
        .sort("image_key")
    )


def _reason(condition: pl.Expr, name: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(name))
