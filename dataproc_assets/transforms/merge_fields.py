"""The fields of an image that one of its sources gives, drawn by trust."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.augment import period
from dataproc_assets.transforms.trust import Trust, drawn, provenance, trust_in

CAPTIONER = "captioner"
DRAWN = {
    "artist": pl.String(),
    "title": pl.String(),
    "caption": pl.String(),
    "created": pl.Datetime("us", "UTC"),
    "tier": pl.String(),
}


def merge_fields(
    best: pl.DataFrame,
    captions: pl.DataFrame,
    ids: pl.Series,
    curation: CurationConfig,
    trust: Trust,
) -> pl.DataFrame:
    """The drawn fields, one row an image in the order of `ids`, each with its provenance.

    Args:
        best: image UInt32, an index of `ids`, source, and what the sources say: artist_names,
            tags_artist, title, caption, created, tier, tier_percentile; one row a source.
        captions: image and caption_text of the images that were captioned; `captioner` is one
            more source of `caption`.
        ids: the images' ids.
        curation: seed, periods, the fields to draw and how far the captioner is trusted.
        trust: by source.

    Returns the columns of `provenance` for each field to draw, null columns for the others, year
    Int32 and period of the drawn date, and tier_percentile of the source that won the tier: a
    source that has a percentile takes part in the draw, also where it has no name for it.
    """
    columns: list[pl.Series] = []
    for field, dtype in DRAWN.items():
        if field not in curation.merge.fields:
            columns.append(pl.Series(field, [None], dtype).new_from_index(0, len(ids)))
            continue
        claims = _claims(field, best, trust)
        if field == "caption":
            believed = curation.merge.machine_trust.get(CAPTIONER, 0.0)
            claims = pl.concat([claims, _captioned(captions, believed)])
        who = drawn(claims, ids, field, curation.seed)
        columns += provenance(claims, who, field).get_columns()
        if field == "tier":
            columns.append(claims["percentile"].gather(who.winner).alias("tier_percentile"))
    merged = pl.DataFrame(columns)
    if "tier_percentile" not in merged.columns:
        merged = merged.with_columns(tier_percentile=pl.lit(None, pl.Float64))
    year = pl.col("created").dt.year().cast(pl.Int32)
    return merged.with_columns(year.alias("year"), period=period(year, curation.augment.periods))


def _claims(field: str, best: pl.DataFrame, trust: Trust) -> pl.DataFrame:
    """What each source says of a field: image, source, value, weight."""
    values = {
        "artist": pl.coalesce(
            _text(pl.col("artist_names").list.first()), _text(pl.col("tags_artist").list.first())
        ),
        "title": _text(pl.col("title")),
        "caption": _text(pl.col("caption")),
    }
    more: Sequence[pl.Expr] = ()
    said = pl.col("value").is_not_null()
    if field == "tier":
        more = (pl.col("tier_percentile").cast(pl.Float64).alias("percentile"),)
        said |= pl.col("percentile").is_not_null()
    value = values.get(field, pl.col(field)).alias("value")
    weight = trust_in(field, trust).alias("weight")
    return best.select("image", "source", value, weight, *more).filter(said)


def _captioned(captions: pl.DataFrame, believed: float) -> pl.DataFrame:
    return captions.select(
        "image",
        source=pl.lit(CAPTIONER),
        value=pl.col("caption_text"),
        weight=pl.lit(believed, pl.Float64),
    ).drop_nulls("value")


def _text(value: pl.Expr) -> pl.Expr:
    return pl.when(value.str.strip_chars() != "").then(value)
