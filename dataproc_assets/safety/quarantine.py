"""What is left of an image in the quarantine: its names, and nothing it shows or says."""

from collections.abc import Iterable

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
    shown = [name for name in images.collect_schema().names() if name not in KEPT_COLUMNS]
    return emptied(
        marked.with_columns(pl.col("quarantined").fill_null(False)),
        pl.col("quarantined"),
        [name for name in shown if name != "quarantined"],
    )


def emptied(rows: pl.LazyFrame, where: pl.Expr, columns: Iterable[str]) -> pl.LazyFrame:
    """Null, or an empty list where the type is a list, in these columns of the rows `where` holds.

    `where` is a Boolean that is never null.
    """
    schema = rows.collect_schema()
    nothing = {name: [] if isinstance(schema[name], pl.List) else None for name in columns}
    return rows.with_columns(
        pl.when(~where).then(name).otherwise(pl.lit(value, dtype=schema[name])).alias(name)
        for name, value in nothing.items()
    )
