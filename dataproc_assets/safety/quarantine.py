"""What is left of an image in the quarantine: its names, and nothing it shows or says."""

import polars as pl

KEPT_COLUMNS = ("image_id", "representative", "members")


def by_id_only(images: pl.LazyFrame, held: pl.LazyFrame) -> pl.LazyFrame:
    """Add `quarantined` bool (never null) and empty the quarantined rows but for their ids.

    Args:
        images: image_id, representative (an image_key), members and any other columns, which keep
            their order and types.
        held: image_key, as `quarantined` of `flags` gives it; the order and repeats are the same.

    Of a row whose representative is held every column other than `KEPT_COLUMNS` is null, and an
    empty list where its type is a list: its tags, texts, artists and digests are copied nowhere.
    """
    names = held.select(representative=pl.col("image_key")).drop_nulls().unique()
    marked = images.drop("quarantined", strict=False).join(
        names.with_columns(quarantined=pl.lit(True)),
        on="representative",
        how="left",
        maintain_order="left",
    )
    schema = images.collect_schema()
    emptied = [
        pl.when(~pl.col("quarantined")).then(name).otherwise(_nothing(dtype)).alias(name)
        for name, dtype in schema.items()
        if name not in (*KEPT_COLUMNS, "quarantined")
    ]
    return marked.with_columns(pl.col("quarantined").fill_null(False)).with_columns(emptied)


def _nothing(dtype: pl.DataType) -> pl.Expr:
    return pl.lit([] if isinstance(dtype, pl.List) else None, dtype=dtype)
