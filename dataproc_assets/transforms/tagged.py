"""What a tag says of a record, whatever category a site puts it in."""

from collections.abc import Sequence

import polars as pl

TAG_COLUMNS = ("tags_general", "tags_character", "tags_copyright", "tags_artist", "tags_meta")


def has_tag(tags: Sequence[str]) -> pl.Expr:
    """Boolean, false where tags are unknown: any category holds one of `tags`, case ignored."""
    wanted = [tag.lower() for tag in tags]
    found = [
        pl.col(column).list.eval(pl.element().str.to_lowercase().is_in(wanted)).list.any()
        for column in TAG_COLUMNS
    ]
    return pl.any_horizontal(column.fill_null(False) for column in found)


def ai_flag(tags: Sequence[str]) -> pl.Expr:
    """The column `ai`, str: yes where a record has one of `tags`, whatever its own flag says."""
    if not tags:
        return pl.col("ai")
    return pl.when(has_tag(tags)).then(pl.lit("yes")).otherwise("ai").alias("ai")
