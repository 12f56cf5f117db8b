"""Which keys of a source may be scored, and why the others may not."""

import polars as pl

NO_RECORD = "no_record"
NO_IMAGE = "no_image"
TAKEDOWN = "takedown"


def eligibility(
    inventory: pl.LazyFrame, judged: pl.LazyFrame, takedowns: pl.LazyFrame
) -> pl.LazyFrame:
    """One row a known key: `image_key`, `has_image`, `has_record`, `image_ext`, and the reasons
    against it, `intake_drop` (the first) and `intake_drops` (all; empty where it is eligible).

    Args:
        inventory: the images on the bucket.
        judged: the records with `keep` and `drop_reasons` by the source's rules.
        takedowns: the ledger's entries `kind`, `value`: by key, artist or post.
    """
    images = inventory.select("image_key", has_image=True, image_ext="ext")
    records = judged.select(
        "image_key",
        "drop_reasons",
        "post_id",
        artists=pl.concat_list("artist_ids", "artist_names"),
        has_record=True,
    )
    rows = images.join(records, on="image_key", how="full", coalesce=True)
    rows = rows.with_columns(pl.col("has_image", "has_record").fill_null(False))
    rows = _with_takedowns(rows, takedowns)
    reasons = pl.concat_list(
        _reason(~pl.col("has_image"), NO_IMAGE),
        _reason(~pl.col("has_record"), NO_RECORD),
        _reason(pl.col("taken_down"), TAKEDOWN),
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


def _with_takedowns(rows: pl.LazyFrame, takedowns: pl.LazyFrame) -> pl.LazyFrame:
    def values(kind: str) -> pl.LazyFrame:
        return takedowns.filter(pl.col("kind") == kind).select("value").unique()

    source = pl.col("image_key").str.split("/").list.first()
    posts = rows.select("image_key", value=pl.format("{}/{}", source, "post_id"))
    artists = rows.select("image_key", value="artists").explode("value", empty_as_null=True)
    hit = pl.concat(
        [
            rows.select("image_key", value="image_key").join(values("key"), on="value"),
            posts.join(values("post"), on="value"),
            artists.join(values("artist"), on="value"),
        ]
    )
    marked = hit.select("image_key").unique().with_columns(taken_down=True)
    return rows.join(marked, on="image_key", how="left").with_columns(
        pl.col("taken_down").fill_null(False)
    )
