"""The index in memory: entries by name and term, and the likest to a vector first."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.gallery.index import (
    ENTRIES,
    FOLDER,
    PICTURES,
    TERMS,
    VECTORS,
    array_bytes,
)
from dataproc_assets.gallery.query import Term
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet
from dataproc_assets.storage.segments import open_vectors

CELLS = 1 << 18  # of vectors that are made floats at a time: they stay in the processor's cache
SCALE = 32767  # of a unit vector's components
DECIMALS = 4  # of a cosine; equal ones are in the order of the keys


class NotReadyError(Exception):
    """The gallery cannot answer now; the message says why, and what helps."""


@dataclass(frozen=True)
class Found:
    """The entries of an answer in their order, so many as were asked for, and how many there are.

    `cosines` are theirs, where they were ranked.
    """

    entries: np.ndarray
    total: int
    cosines: np.ndarray | None = None

    def page(self, number: int, size: int) -> "Found":
        """The entries of one page, counted from 1."""
        part = slice((number - 1) * size, number * size)
        cosines = None if self.cosines is None else self.cosines[part]
        return Found(self.entries[part], self.total, cosines)


class Index:
    """What `index_files` wrote, read into memory; the vectors are mapped.

    Attributes:
        manifest: of the gallery that the index is of.
        pictures: a row a key; `entries`: a row a picture. See `index`.
        vectors: int16 (entries, d); d is 0 where nothing is embedded.
    """

    def __init__(
        self,
        pictures: pl.DataFrame,
        entries: pl.DataFrame,
        terms: pl.DataFrame,
        vectors: np.ndarray,
        manifest: dict[str, Any],
    ) -> None:
        self.pictures, self.entries, self.vectors = pictures, entries, vectors
        self.manifest = manifest
        self._fields = {
            str(name[0]): rows
            for name, rows in terms.partition_by("field", as_dict=True, include_key=False).items()
        }
        self._embedded = entries["embedded"].to_numpy()

    def __len__(self) -> int:
        return self.entries.height

    @property
    def sources(self) -> list[str]:
        """The sources that have a picture."""
        return self._values("source")["value"].to_list()

    def having(self, field: str, value: str) -> np.ndarray:
        """The entries, sorted, that have a value of a field; int64 (n,)."""
        rows = self._values(field)
        place = rows["value"].search_sorted(value)
        if place == rows.height or rows["value"][place] != value:
            return np.empty(0, np.int64)
        return rows["entries"][place].to_numpy().astype(np.int64)

    def having_any(self, field: str, values: pl.Series) -> np.ndarray:
        """The entries, sorted, that have any of some values of a field; int64 (n,)."""
        rows = self._values(field).filter(pl.col("value").is_in(values.implode()))
        return rows["entries"].explode().drop_nulls().unique().sort().to_numpy().astype(np.int64)

    def named(self, name: str) -> np.ndarray:
        """The entries that go by a key, an image_id, a post or a hash; int64 (n,)."""
        found = [self.having(field, name.lower()) for field in ("image", "hash")]
        found += [self.having("post", name), self.of_keys([name])]
        return np.unique(np.concatenate(found))

    def of_keys(self, keys: list[str]) -> np.ndarray:
        """The entries that hold any of some keys; int64 (n,)."""
        known = self.pictures["image_key"]
        if known.is_empty():
            return np.empty(0, np.int64)
        places = known.search_sorted(pl.Series(keys, dtype=pl.String)).clip(0, len(known) - 1)
        found = self.pictures["entry"].gather(places).filter(known.gather(places).is_in(keys))
        return found.unique().sort().to_numpy().astype(np.int64)

    def vector(self, entry: int) -> np.ndarray:
        """float32 (d,) of unit norm: what an entry's picture was embedded as."""
        row = self.vectors[entry].astype(np.float32)
        return row / np.linalg.norm(row)

    def like(self, field: str, value: str, count: int) -> list[str]:
        """Values of a field that begin with a text, the most frequent first."""
        rows = self._values(field).filter(pl.col("value").str.starts_with(value))
        return _frequent(rows).head(count)["value"].to_list()

    def frequent(self, field: str, count: int) -> list[tuple[str, int]]:
        """The most frequent values of a field with the entries that have them."""
        return _frequent(self._values(field)).head(count).rows()

    def find(
        self,
        among: np.ndarray | None,
        terms: tuple[Term, ...],
        vector: np.ndarray | None,
        hidden: np.ndarray,
        most: int,
    ) -> Found:
        """The entries of a question, at most `most`, the likest to a vector first or by key.

        Args:
            among: the entries that were named; None where none was.
            terms: what each must have, or must not.
            vector: float32 (d,) of unit norm; entries that were never embedded are then left out.
            hidden: bool (entries,), those that may not be shown.
        """
        wanted = ~hidden
        if among is not None:
            wanted &= self.mask(among)
        for term in terms:
            has = self.mask(self.having(term.field, term.value))
            wanted &= ~has if term.refused else has
        if vector is None:
            entries = np.flatnonzero(wanted)
            return Found(entries[:most], len(entries))
        entries = np.flatnonzero(wanted & self._embedded)
        cosines = self._cosines(entries, vector).round(DECIMALS)
        if len(entries) > most:
            least = np.partition(cosines, len(cosines) - most)[len(cosines) - most]
            near = np.flatnonzero(cosines >= least)
        else:
            near = np.arange(len(entries))
        order = near[np.argsort(-cosines[near], kind="stable")][:most]
        return Found(entries[order], len(entries), cosines[order])

    def mask(self, entries: np.ndarray) -> np.ndarray:
        """bool (entries,): those that are among some."""
        mask = np.zeros(len(self), bool)
        mask[entries] = True
        return mask

    def _cosines(self, entries: np.ndarray, vector: np.ndarray) -> np.ndarray:
        """float32 (n,): the cosines of some entries with a unit vector."""
        # rows that follow each other are read faster than rows picked out
        most = 2 * len(entries) > len(self)
        count, block = len(self) if most else len(entries), max(1, CELLS // len(vector))
        dots = np.empty(count, np.float32)
        for start in range(0, count, block):
            part = slice(start, start + block)
            rows = self.vectors[part] if most else self.vectors[entries[part]]
            dots[part] = rows.astype(np.float32) @ vector
        return (dots[entries] if most else dots) / np.float32(SCALE)

    def _values(self, field: str) -> pl.DataFrame:
        schema = {"value": pl.String, "entries": pl.List(pl.UInt32)}
        return self._fields.get(field, pl.DataFrame(schema=schema))


def load_index(store: ObjectStore) -> Index:
    """The index of the gallery that is drawn.

    Raises NotReadyError where there is none, or it is being drawn anew.
    """
    root = gallery_path()
    try:
        manifest = json.loads(store.get(f"{root}/manifest.json"))
        pictures = _read(store, PICTURES, manifest)
        entries, terms = _read(store, ENTRIES, manifest), _read(store, TERMS, manifest)
        vectors = open_vectors(store, f"{root}/{FOLDER}/entries")
    except FileNotFoundError:
        raise NotReadyError(
            "There is nothing to search yet: `dataproc run` draws the gallery, and its index"
        ) from None
    _verify(store, VECTORS, array_bytes(vectors), manifest)
    return Index(pictures, entries, terms, vectors, manifest)


def _read(store: ObjectStore, path: str, manifest: dict[str, Any]) -> pl.DataFrame:
    data = store.get(f"{gallery_path()}/{path}")
    _verify(store, path, data, manifest)
    return from_parquet(data)


def _verify(store: ObjectStore, path: str, data: bytes, manifest: dict[str, Any]) -> None:
    known = manifest["files"].get(path)
    if known is None or known["sha256"] != bytes_digest(data):
        raise NotReadyError(
            f"{store.uri(gallery_path())}/{path} is not what the gallery's manifest names: it is "
            "being drawn anew, or was changed. Ask again when `dataproc run` has ended"
        )


def _frequent(rows: pl.DataFrame) -> pl.DataFrame:
    counts = rows.select("value", count=pl.col("entries").list.len())
    return counts.sort(["count", "value"], descending=[True, False])
