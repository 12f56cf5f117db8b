"""Whose picture and text must not be shown: nothing downstream of here ever sees those rows."""

from dataclasses import dataclass, replace

import polars as pl

from dataproc_assets.gallery.reasons import consent_label
from dataproc_assets.gallery.tables import GalleryTables
from dataproc_assets.storage.digest import json_digest


@dataclass(frozen=True)
class Withheld:
    """Keys and content digests (SHA-256, hex) of which nothing may be copied."""

    keys: frozenset[str]
    sha256: frozenset[str]

    @property
    def digest(self) -> str:
        """Names the set without naming its members."""
        return json_digest([sorted(self.keys), sorted(self.sha256)])


def find_withheld(tables: GalleryTables) -> Withheld:
    """The quarantined, opted-out and taken-down images with all copies of them.

    A copy is a row of the same component of duplicates, of the same image or of the same bytes,
    and a copy of a copy: one flagged row withholds its whole cluster.
    """
    links = _links(tables)
    keys = _flagged(tables)
    while True:
        rows = links.filter(pl.col("image_key").is_in(list(keys)))
        same = pl.lit(False)
        for column in ("component", "image_id", "sha256"):
            same = same | pl.col(column).is_in(rows[column].drop_nulls().unique().to_list())
        found = set(links.filter(same.fill_null(False))["image_key"]) | keys
        if found == keys:
            return Withheld(frozenset(keys), frozenset(rows["sha256"].drop_nulls()))
        keys = found


def without(tables: GalleryTables, withheld: Withheld) -> GalleryTables:
    """The tables without a row of what is withheld.

    A preview is shown only of an image that is still known: one whose rows are gone may have
    been taken down.
    """
    keys, digests = list(withheld.keys), list(withheld.sha256)

    def free(column: str, values: list[str]) -> pl.Expr:
        return ~pl.col(column).is_in(values).fill_null(False)

    images = tables.images.filter(
        free("representative", keys),
        free("sha256", digests),
        ~pl.col("members").list.eval(pl.element().is_in(keys)).list.any().fill_null(False),
    )
    recipes = tables.sanitized.items()
    return replace(
        tables,
        augmented=tables.augmented.filter(free("image_key", keys), free("pixels_sha256", digests)),
        edges=tables.edges.filter(free("a", keys), free("b", keys)),
        members=tables.members.filter(free("image_key", keys), free("component", keys)),
        images=images,
        sanitized={
            recipe: frame.join(images, on="image_id", how="semi", maintain_order="left")
            for recipe, frame in recipes
        },
        addresses=tables.addresses.filter(free("image_key", keys)),
        previews=tables.previews.filter(pl.col("sha256").is_in(images["sha256"].to_list())),
    )


def _flagged(tables: GalleryTables) -> set[str]:
    """The keys that a table flags by itself."""
    by_reason = tables.augmented.filter(_consent())
    by_image = tables.images.filter("opt_out")
    recipes = [frame.filter(_consent()).select("image_id") for frame in tables.sanitized.values()]
    dropped = pl.concat([tables.images.clear().select("image_id"), *recipes]).unique()
    by_recipe = tables.images.join(dropped, on="image_id", how="semi")
    keys = set(tables.quarantined["image_key"]) | set(by_reason["image_key"])
    for images in (by_image, by_recipe):
        keys |= set(images["representative"].drop_nulls())
        keys |= set(images["members"].explode().drop_nulls())
    return keys


def _consent() -> pl.Expr:
    """Whether one of a row's reasons to drop it is about consent."""
    listed = pl.col("drop_reasons").list.eval(consent_label(pl.element()).is_not_null())
    first = consent_label(pl.col("drop_reason")).is_not_null()
    return first | listed.list.any().fill_null(False)


def _links(tables: GalleryTables) -> pl.DataFrame:
    """image_key, component, image_id, sha256: what ties each row to its copies."""
    images = tables.images.select("image_id", "sha256", image_key="members").explode("image_key")
    parts = [
        tables.augmented.select("image_key", sha256="pixels_sha256"),
        tables.members.select("image_key", "component"),
        images.select("image_key", "image_id", "sha256"),
        tables.images.select("image_id", "sha256", image_key="representative"),
    ]
    return pl.concat(parts, how="diagonal").drop_nulls("image_key")
