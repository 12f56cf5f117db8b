"""What a tag says of a record, whatever category a site puts it in."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.sources.columns import TAG_COLUMNS


def has_tag(tags: Sequence[str]) -> pl.Expr:
    """Boolean, false where tags are unknown: any category holds one of `tags`, case ignored."""
    wanted = [tag.lower() for tag in tags]
    found = [
        pl.col(column).list.eval(pl.element().str.to_lowercase().is_in(wanted)).list.any()
        for column in TAG_COLUMNS
    ]
    return pl.any_horizontal(column.fill_null(False) for column in found)
