"""The tags of an image from all its sources and the tagger, each with its confidence."""

import polars as pl

from dataproc_assets.config.curation import MergeConfig
from dataproc_assets.transforms.trust import Trust, trust_in

CATEGORIES = ("general", "character", "copyright", "artist", "meta")
TAG = pl.Struct(
    {
        "tag": pl.String,
        "category": pl.String,
        "confidence": pl.Float64,
        "sources": pl.List(pl.String),
    }
)
_DECIMALS = 6


def merge_tags(
    best: pl.LazyFrame, standing: pl.LazyFrame, merge: MergeConfig, trust: Trust
) -> pl.LazyFrame:
    """Confidence of each tag: 1 - product over sources of (1 - trust x p).

    Args:
        best: image_id, source and `tags_{category}` list[str], the best member of each source.
        standing: image_id and `tagger_tags` of the representatives; the tagger is one more source.
        merge: p per source, aliases, and the confidence below which a tag is left out.
        trust: how far each source's tags are believed.

    Returns image_id, tags List(TAG) by falling confidence, then tag. Tags are lower case with
    underscores. A category other than general outranks it, since sites without categories call
    every tag general; then the more trusted source's counts, then the first by name.
    """
    names = {source: merge.tag_p.get(source, merge.tag_p["default"]) for source in trust}
    p = pl.col("source").replace_strict(names, return_dtype=pl.Float64)
    said = [
        best.select(
            "image_id",
            "source",
            pl.col(f"tags_{category}").alias("tag"),
            pl.lit(category).alias("category"),
            (trust_in("tags", trust) * p).alias("weight"),
        ).explode("tag")
        for category in CATEGORIES
    ]
    seen = (
        standing.select("image_id", "tagger_tags")
        .explode("tagger_tags")
        .select(
            "image_id",
            pl.lit("tagger").alias("source"),
            pl.col("tagger_tags").struct.field("tag"),
            pl.col("tagger_tags").struct.field("category"),
            pl.col("tagger_tags").struct.field("p").cast(pl.Float64)
            * merge.machine_trust.get("tagger", 0.0),
        )
        .rename({"p": "weight"})
    )
    claims = (
        pl.concat([*said, seen])
        .with_columns(_spelling(pl.col("tag"), merge.aliases))
        .filter(pl.col("tag").is_not_null() & (pl.col("tag") != "") & (pl.col("weight") > 0))
        .with_columns((pl.col("category") == "general").alias("is_general"))
    )
    order = ("is_general", "category")
    once = claims.group_by("image_id", "tag", "source").agg(
        pl.col("weight").max(),
        pl.col("category").sort_by(*order).first(),
        pl.col("is_general").min(),
    )
    by_trust = pl.col("category").sort_by(
        "is_general", "weight", "source", descending=[False, True, False]
    )
    return (
        once.group_by("image_id", "tag")
        .agg(
            by_trust.first(),
            # a product of floats depends on its order in the last bit, so the order is given
            (1 - (1 - pl.col("weight")).sort_by("source").product())
            .round(_DECIMALS)
            .alias("confidence"),
            pl.col("source").sort().alias("sources"),
        )
        .filter(pl.col("confidence") >= merge.tag_confidence_min)
        .sort("image_id", "confidence", "tag", descending=[False, True, False])
        .group_by("image_id", maintain_order=True)
        .agg(pl.struct("tag", "category", "confidence", "sources").alias("tags"))
    )


def _spelling(tag: pl.Expr, aliases: dict[str, str]) -> pl.Expr:
    plain = tag.str.strip_chars().str.to_lowercase().str.replace_all(" ", "_", literal=True)
    return plain.replace(aliases) if aliases else plain
