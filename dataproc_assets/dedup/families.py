"""Families of images: what must not be on both sides of a split."""

import numpy as np
import polars as pl

from dataproc_assets.dedup.clusters import components
from dataproc_assets.dedup.items import row_numbers


def families(members: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """image_id and `family`, the smallest image_id of those it hangs together with, sorted.

    Two images are of one family where any members of theirs are of one component, or where an
    edge of any kind joins them: a variant, kept apart as an image, shows nearly the same.

    Args:
        members: image_key, image_id (null where a row has no image), component.
        edges: a, b: keys of members.
    """
    rows = members.select("image_key", "image_id", "component").sort("image_key")
    numbered = rows.with_row_index("row")
    first = numbered.select(pl.col("row").first().over("component")).to_series().to_numpy()
    i, j = (row_numbers(edges[end], numbered) for end in ("a", "b"))
    label = components(
        rows.height,
        np.concatenate([np.arange(rows.height), i]),
        np.concatenate([first, j]),
    )
    named = rows.with_columns(label=pl.Series(label)).drop_nulls("image_id")
    return (
        named.select("image_id", family=pl.col("image_id").min().over("label"))
        .unique()
        .sort("image_id")
    )
