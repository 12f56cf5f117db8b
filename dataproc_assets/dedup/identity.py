"""The lasting name of an image: derived until a release publishes it, then kept by the ledger."""

import polars as pl
import polars_hash as plh

LEDGER_SCHEMA = {"founding_key": pl.String, "image_id": pl.String}
"""Append-only, oldest first: publishing an image binds its id to one member, its founder."""

ID_LENGTH = 32
"""Hex digits: the first 128 bits of a SHA-256."""


def image_ids(members: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """The id of each image: (representative, image_id) for (image_key, representative).

    A released id stays with its founder's image; the oldest where several founders meet. An
    image without a founder is named after its smallest key, passing over a key whose id is
    released with another founder.

    Raises:
        ValueError: the ledger binds a key or an id twice.
    """
    released = _checked(ledger)
    founded = (
        members.join(released, left_on="image_key", right_on="founding_key")
        .group_by("representative")
        .agg(pl.col("image_id").sort_by("age").first())
    )
    fresh = members.join(founded, on="representative", how="anti")
    derived = (
        fresh.with_columns(image_id=_derived_id())
        .join(released, on="image_id", how="anti")
        .group_by("representative")
        .agg(pl.col("image_id").sort_by("image_key").first())
    )
    return pl.concat([founded, derived]).sort("representative")


def aliases(members: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """Released ids whose image now goes by an older one: (alias, image_id), sorted.

    `members` is the members table. An id whose founder is gone has no image, thus no alias.
    """
    founders = _checked(ledger).rename({"image_id": "alias"})
    return (
        founders.join(members, left_on="founding_key", right_on="image_key")
        .filter(pl.col("image_id").is_not_null() & (pl.col("alias") != pl.col("image_id")))
        .select("alias", "image_id")
        .sort("alias")
    )


def new_founders(members: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """Ledger rows to append when the images of `members` are published, sorted by id.

    The founder is the key that the id was derived from.
    """
    return (
        members.filter(pl.col("image_id") == _derived_id())
        .join(ledger, on="image_id", how="anti")
        .select("image_id", founding_key="image_key")
        .select(*LEDGER_SCHEMA)
        .sort("image_id")
    )


def _derived_id() -> pl.Expr:
    digest = plh.col("image_key").chash.sha2_256()  # type: ignore[attr-defined]
    return digest.str.head(ID_LENGTH)


def _checked(ledger: pl.DataFrame) -> pl.DataFrame:
    for column in LEDGER_SCHEMA:
        repeated = ledger[column].filter(ledger[column].is_duplicated())
        if len(repeated):
            raise ValueError(
                f"the identity ledger binds {column} {repeated[0]!r} more than once: "
                "restore it from the last release's manifest"
            )
    typed = ledger.select(pl.col(name).cast(kind) for name, kind in LEDGER_SCHEMA.items())
    return typed.with_row_index("age")
