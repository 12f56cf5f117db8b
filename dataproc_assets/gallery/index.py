"""What the server searches: the pictures that may be shown, by their names, terms and vectors.

Four files of the gallery, numbered rows that point at each other:
`pictures` a row a key with what its card says; `entries` a row a picture on all platforms, or a
dropped one, with the row of the key that stands for it; `terms` the entries that a value of a
field names; `entries.vectors.npy` int16 (entries, d), zero where a picture was never embedded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Protocol

import numpy as np
import polars as pl

from dataproc_assets.gallery.reasons import reason_name
from dataproc_assets.gallery.view import View
from dataproc_assets.safety.matching import joined, text_spelling
from dataproc_assets.storage.layout import vectors_path
from dataproc_assets.storage.parquet import to_parquet

FOLDER = "search"
PICTURES, ENTRIES, TERMS = (f"{FOLDER}/{name}.parquet" for name in ("pictures", "entries", "terms"))
VECTORS = vectors_path(f"{FOLDER}/entries")
CARD = ("title", "rating", "tier", "year", "pixels_width", "pixels_height", "clip_score")
SHOWN_FIELDS = ("tag", "source", "rating", "tier", "year", "recipe", "drop", "is")
"""The fields that a question may name. Others are found by the bare value: `image` (its id),
`post` (pixiv/123) and `hash`; `artist`, a user of a platform (pixiv/7) or a name as takedowns spell
it, is only asked for by them."""


class Rows(Protocol):
    """An int16 array (n, d), or what gives its rows as one does."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, d)."""
        ...

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """Some rows, by number."""
        ...


@dataclass(frozen=True)
class Embedded:
    """Vectors of pictures, int16 and of unit norm: one a key, made by `model`, a fingerprint."""

    model: str
    keys: pl.Series
    vectors: Rows


def index_files(view: View, embedded: Embedded | None) -> dict[str, bytes]:
    """The index's files by path: of what may be shown alone, and the same for the same tables."""
    images = _images(view)
    keys = images.select("entry", image_key="keys").explode("image_key")
    pictures = (
        view.cards.rows.join(keys.unique("image_key", keep="first"), on="image_key")
        .with_columns(pl.col("title").str.head(view.config.text_chars + 1))
        .select("image_key", "entry", "pixels_sha256", *CARD, "drop_reasons")
        .sort("image_key")
    )
    numbers = pictures.select("image_key", picture=pl.int_range(pl.len(), dtype=pl.UInt32))
    entries = images.join(numbers, on="image_key", how="left").sort("entry")
    vectors = _vectors(entries["image_key"], embedded)
    known = pl.Series(np.any(vectors, axis=1))
    members = pl.col("keys").list.len()
    entries = entries.select("image_id", "picture", members=members, embedded=known)
    return {
        PICTURES: to_parquet(pictures),
        ENTRIES: to_parquet(entries),
        TERMS: to_parquet(_terms(view, images, pictures)),
        VECTORS: array_bytes(vectors),
    }


def array_bytes(array: np.ndarray) -> bytes:
    """An array as NumPy's file of it: the same array gives the same bytes."""
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


def tag_value(tag: pl.Expr) -> pl.Expr:
    """A tag as the index spells it: in lower case, with underscores for blanks."""
    return tag.str.strip_chars().str.to_lowercase().str.replace_all(r"\s+", "_")


def _images(view: View) -> pl.DataFrame:
    """`entry`, `image_key` (who stands for it), `image_id`, `keys`, `tags`; by key."""
    shown = view.shown.augmented.select("image_key", "tags")
    images = view.shown.images.select(
        "image_id", "tags", image_key="representative", keys="members"
    ).join(shown.select("image_key"), on="image_key", how="semi")
    inside = images.select(image_key="keys").explode("image_key")
    alone = shown.join(inside, on="image_key", how="anti").with_columns(
        keys=pl.concat_list("image_key")
    )
    both = pl.concat([images, alone], how="diagonal").sort("image_key", "image_id")
    return both.unique("image_key", keep="first", maintain_order=True).with_columns(
        entry=pl.int_range(pl.len(), dtype=pl.UInt32)
    )


def _vectors(keys: pl.Series, embedded: Embedded | None) -> np.ndarray:
    if embedded is None:
        return np.zeros((len(keys), 0), np.int16)
    known = pl.DataFrame({"image_key": embedded.keys}).with_row_index("at")
    rows = keys.to_frame().join(known, on="image_key", how="left", maintain_order="left")["at"]
    there = np.flatnonzero(rows.is_not_null().to_numpy())
    vectors = np.zeros((len(keys), embedded.vectors.shape[1]), np.int16)
    vectors[there] = embedded.vectors[rows.drop_nulls().to_numpy().astype(np.int64)]
    return vectors


def _terms(view: View, images: pl.DataFrame, pictures: pl.DataFrame) -> pl.DataFrame:
    """`field`, `value`, `entries`: sorted, each value once."""
    columns = [
        frame.select("entry", field=pl.lit(field, pl.String), value=pl.col("value").cast(pl.String))
        for field, frame in _values(view, images, pictures)
    ]
    return (
        pl.concat(columns)
        .drop_nulls("value")
        .filter(pl.col("value") != "")
        .group_by("field", "value")
        .agg(entries=pl.col("entry").unique().sort())
        .sort("field", "value")
    )


def _values(
    view: View, images: pl.DataFrame, pictures: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each field with rows of `entry` and a `value`."""
    rows = view.cards.rows.join(pictures.select("image_key", "entry"), on="image_key")
    standing = images.select("entry", "image_key").join(rows.drop("entry"), on="image_key")
    tags = images.select("entry", value="tags").explode("value")
    yield "tag", tags.with_columns(tag_value(pl.col("value")))
    yield "source", rows.select("entry", value="source")
    for field in ("rating", "tier", "year"):
        yield field, standing.select("entry", value=field)
    yield "image", images.select("entry", value="image_id")
    yield "post", rows.select("entry", value=pl.format("{}/{}", "source", "post_id"))
    users = rows.select("entry", "source", value="artist_ids").explode("value")
    yield "artist", users.with_columns(value=pl.format("{}/{}", "source", "value"))
    for column in ("artist_names", "tags_artist"):
        names = rows.select("entry", value=column).explode("value")
        yield "artist", names.with_columns(joined(text_spelling(pl.col("value"))))
    for column in ("pixels_sha256", "md5", "pixels_md5"):
        yield "hash", rows.select("entry", value=pl.col(column).str.to_lowercase())
    kept, dropped = _judged(view, images)
    yield "recipe", kept
    own = standing.select("entry", value="drop_reasons").explode("value")
    reasons = pl.concat([own, dropped]).drop_nulls("value")
    names = {reason: reason_name(reason) for reason in reasons["value"].unique()}
    yield (
        "drop",
        reasons.with_columns(pl.col("value").replace_strict(names, return_dtype=pl.String)),
    )
    is_kept = pl.col("entry").is_in(kept["entry"].implode())
    kinds = pl.when(is_kept).then(pl.lit("kept")).otherwise(pl.lit("dropped"))
    yield "is", images.select("entry", value=kinds)


def _judged(view: View, images: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The recipes that keep each entry, and the reasons for which the others do not."""
    empty = pl.DataFrame(schema={"entry": pl.UInt32, "value": pl.String})
    kept, dropped = [empty], [empty]
    for recipe, frame in view.shown.sanitized.items():
        rows = images.select("entry", "image_id").join(frame, on="image_id")
        keeps = rows.filter("keep").select("entry", value=pl.lit(recipe)).unique()
        kept.append(keeps)
        others = rows.join(keeps, on="entry", how="anti")
        dropped.append(others.select("entry", value="drop_reasons").explode("value"))
    return pl.concat(kept), pl.concat(dropped)
