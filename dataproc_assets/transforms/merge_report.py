"""What merging did, counted: whose values won, where the sources did not agree, which tags fell."""

import polars as pl

from dataproc_assets.transforms.merge_facts import RANKED
from dataproc_assets.transforms.merge_fields import DRAWN

FIELDS = (*RANKED, *DRAWN)


def values_won(images: pl.DataFrame) -> pl.DataFrame:
    """`field`, `source`, `images` Int64: how many values of a field are those of each source."""
    won = [
        images.select(field=pl.lit(field), source=f"{field}__source").drop_nulls()
        for field in FIELDS
        if f"{field}__source" in images.columns
    ]
    return pl.concat(won).group_by("field", "source").agg(images=pl.len().cast(pl.Int64))


def disagreements(images: pl.DataFrame) -> pl.DataFrame:
    """`field`, `images` Int64: of how many images a source said another value than the one kept."""
    return pl.DataFrame(
        [
            (field, _differ(images, field))
            for field in FIELDS
            if f"{field}__losing" in images.columns
        ],
        schema={"field": pl.String, "images": pl.Int64},
        orient="row",
    )


def tag_counts(images: pl.DataFrame) -> pl.DataFrame:
    """`tags`, `rows` Int64: how many tags are kept, how many fell below the confidence asked."""
    counts = [("kept", "tags"), ("below confidence", "tags__losing")]
    return pl.DataFrame(
        [(name, int(images[column].list.len().sum())) for name, column in counts],
        schema={"tags": pl.String, "rows": pl.Int64},
        orient="row",
    )


def _differ(images: pl.DataFrame, field: str) -> int:
    said = pl.col("losing").struct.field("value")
    return (
        images.lazy()
        .select(kept=_as_said(field), losing=f"{field}__losing")
        .with_row_index("image")
        .filter(pl.col("losing").list.len() > 0)
        .explode("losing")
        .filter(said.ne_missing(pl.col("kept")))
        .select(pl.col("image").n_unique())
        .collect()
        .item()
    )


def _as_said(field: str) -> pl.Expr:
    """The value kept, as `{field}__losing` has values: those that are not drawn as texts."""
    return pl.col(field).cast(pl.String) if field in RANKED else pl.col(field)
