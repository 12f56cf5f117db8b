"""Whose picture and text must not be shown: nothing downstream of here ever sees those rows."""

from dataclasses import dataclass, replace

import polars as pl

from dataproc_assets.gallery.reasons import refused_reasons
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
    """The quarantined, opted-out, taken-down and unjudged images with all copies of them.

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

    A preview, or a drawing, is shown only of an image that is still known: one whose rows are
    gone may have been taken down.
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
        drawn=tables.drawn.join(images, on="image_id", how="semi", maintain_order="left"),
    )


def _flagged(tables: GalleryTables) -> set[str]:
    """The keys that a table flags by itself."""
    unjudged = tables.augmented.join(tables.flags, on="image_key", how="anti")
    rows = [
        tables.quarantined,
        unjudged,
        _refused(tables.flags, "flags"),
        _refused(tables.augmented, "drop_reason", "drop_reasons", "intake_drops"),
    ]
    refused = [
        _refused(frame, "drop_reason", "drop_reasons").select("image_id")
        for frame in tables.sanitized.values()
    ]
    ids = pl.concat([tables.images.filter("opt_out").select("image_id"), *refused])
    images = tables.images.join(ids, on="image_id", how="semi")
    keys = [frame["image_key"] for frame in rows]
    keys += [images["representative"], images["members"].explode()]
    return set(pl.concat(keys).drop_nulls())


def _refused(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The rows with a reason, in any of the columns, that forbids to show the picture."""
    refused = pl.lit(False)
    for column in columns:
        reasons = refused_reasons(frame[column])
        if isinstance(frame.schema[column], pl.List):
            found = pl.col(column).list.eval(pl.element().is_in(reasons)).list.any()
        else:
            found = pl.col(column).is_in(reasons)
        refused = refused | found.fill_null(False)
    return frame.filter(refused)


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
