"""One row an image: the fields of its sources merged by trust, each with its provenance."""

from functools import reduce

import polars as pl

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.augment import period
from dataproc_assets.transforms.merge_tags import TAG, merge_tags
from dataproc_assets.transforms.trust import Trust, drawn, trust_in

RATINGS = ("general", "sensitive", "questionable", "explicit")
_OF_REPRESENTATIVE = ("width", "height", "pixels", "aspect", "bucket_width", "bucket_height")


def merge_images(
    members: pl.LazyFrame,
    rows: pl.LazyFrame,
    curation: CurationConfig,
    trust: Trust,
    captions: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """The table `images`, sorted by image_id: one row an image that has a representative.

    Args:
        members: image_key, source, component, image_id, role, best_in_source of all members.
        rows: the augmented rows of all sources without prefixes, with `source`, `opt_out` bool
            and `tagger_tags`.
        curation: seed, periods and `merge`.
        trust: by source; every source of `members` must be in it.
        captions: image_key and caption_text of the representatives, where they were captioned;
            the source `captioner` of the field `caption`.

    Pixels, sizes and bucket are the representative's. Fields are drawn, and tags merged, over the
    best member of each source that was not dropped. Rating (the most restrictive), ai (any yes,
    else any no, else unknown) and opt_out (any) look at the whole component, dropped members too.
    """
    joined = members.select(
        "image_key", "source", "component", "image_id", "role", "best_in_source"
    ).join(rows.drop("source"), on="image_key", how="left")
    best = joined.filter(pl.col("best_in_source") & (pl.col("role") != "dropped"))
    standing = joined.filter(pl.col("role") == "representative").select(
        "image_id",
        "component",
        pl.col("image_key").alias("representative"),
        pl.col("pixels_sha256").alias("sha256"),
        *[pl.col(f"pixels_{side}").alias(side) for side in ("width", "height")],
        *_OF_REPRESENTATIVE[2:],
        "tagger_tags",
    )
    merge = curation.merge
    fields = [
        drawn(_claims(field, best, standing, curation, trust, captions), field, curation.seed)
        for field in merge.fields
    ]
    parts = [
        _lineage(joined),
        merge_tags(best, standing, merge, trust),
        *fields,
    ]
    base = standing.join(_of_component(joined), on="component", how="left")
    images = reduce(lambda left, part: left.join(part, on="image_id", how="left"), parts, base)
    for field, dtype in _absent(merge.fields).items():
        images = images.with_columns(pl.lit(None, dtype=dtype).alias(field))
    year = pl.col("created").dt.year().cast(pl.Int32)
    provenance = [f"{f}__{part}" for f in merge.fields for part in ("source", "weight", "losing")]
    return (
        images.with_columns(
            year.alias("year"),
            period(year, curation.augment.periods).alias("period"),
            pl.col("tags").fill_null(pl.lit([], dtype=pl.List(TAG))),
        )
        .select(*_COLUMNS, *provenance)
        .sort("image_id")
    )


_COLUMNS = (
    "image_id",
    "representative",
    "members",
    "sources",
    "sha256",
    *_OF_REPRESENTATIVE,
    "created",
    "year",
    "period",
    "rating",
    "ai",
    "opt_out",
    "artist",
    "title",
    "caption",
    "tier",
    "tags",
)


def _absent(fields: list) -> dict[str, pl.DataType | type[pl.DataType]]:
    """The columns of fields that the configuration does not draw; they are null."""
    dtypes = dict.fromkeys(("artist", "title", "caption", "tier"), pl.String())
    all_fields = {**dtypes, "created": pl.Datetime("us", "UTC")}
    return {field: dtype for field, dtype in all_fields.items() if field not in fields}


def _claims(
    field: str,
    best: pl.LazyFrame,
    standing: pl.LazyFrame,
    curation: CurationConfig,
    trust: Trust,
    captions: pl.LazyFrame | None,
) -> pl.LazyFrame:
    """What each source says of a field: image_id, source, value, weight."""
    values = {
        "artist": pl.coalesce(
            pl.col("artist_names").list.first(), pl.col("tags_artist").list.first()
        ),
        "title": pl.col("title"),
        "caption": pl.col("caption"),
    }
    value = values.get(field, pl.col(field))
    if field in values:
        value = pl.when(value.str.strip_chars() != "").then(value)
    said = best.select(
        "image_id", "source", value.alias("value"), trust_in(field, trust).alias("weight")
    )
    if field != "caption" or captions is None:
        return said
    trusted = curation.merge.machine_trust.get("captioner", 0.0)
    seen = standing.join(
        captions, left_on="representative", right_on="image_key", how="inner"
    ).select(
        "image_id",
        pl.lit("captioner").alias("source"),
        pl.col("caption_text").alias("value"),
        pl.lit(trusted, dtype=pl.Float64).alias("weight"),
    )
    return pl.concat([said, seen])


def _lineage(joined: pl.LazyFrame) -> pl.LazyFrame:
    """All members of each image, and the sources of those that were not dropped."""
    return (
        joined.filter(pl.col("image_id").is_not_null())
        .group_by("image_id")
        .agg(
            pl.col("image_key").sort().alias("members"),
            pl.col("source").filter(pl.col("role") != "dropped").unique().sort().alias("sources"),
        )
    )


def _of_component(joined: pl.LazyFrame) -> pl.LazyFrame:
    """rating, ai and opt_out of each component: component, rating, ai, opt_out."""
    rank = pl.col("rating").replace_strict(
        RATINGS, list(range(len(RATINGS))), default=None, return_dtype=pl.Int8
    )
    ai = (
        pl.when((pl.col("ai") == "yes").any())
        .then(pl.lit("yes"))
        .when((pl.col("ai") == "no").any())
        .then(pl.lit("no"))
        .otherwise(pl.lit("unknown"))
    )
    return (
        joined.group_by("component")
        .agg(rank.max().alias("rating"), ai.alias("ai"), pl.col("opt_out").any().alias("opt_out"))
        .with_columns(
            pl.col("rating").replace_strict(
                list(range(len(RATINGS))), RATINGS, return_dtype=pl.String
            )
        )
    )
