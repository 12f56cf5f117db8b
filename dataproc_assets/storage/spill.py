"""Rows that are too many for memory, in parts on the local disk: by their key's hash, by key."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from math import ceil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from dataproc_assets.storage.key_parts import part_number
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.tables import present_table, read_part

PART_ROWS = 1 << 17  # of a table: few enough for a processor's cache to help a join
RANGE_ROWS = 1 << 20  # that are sorted together


def part_count(rows: int, buckets: int) -> int:
    """In how many parts to work on tables of so many rows, a part at a time.

    It divides `buckets`, so that a part is whole buckets of the stage tables: a bucket is the
    least that is held.
    """
    divisors = (count for count in range(1, buckets + 1) if buckets % count == 0)
    return next((count for count in divisors if count * PART_ROWS >= rows), buckets)


class Spill:
    """Rows in numbered parts: in memory up to `memory_mb`, then in files of this machine.

    The files are Arrow streams one after the other, not compressed: on a local disk compression
    takes longer than it saves.
    """

    def __init__(self, folder: Path, parts: int, memory_mb: int) -> None:
        self.parts = parts
        self._folder, self._limit = folder, memory_mb << 20
        self._held: list[list[pa.Table]] = [[] for _ in range(parts)]
        self._bytes = 0
        self._empty: pl.DataFrame | None = None

    def add(self, rows: pl.DataFrame, key: str = "image_key") -> None:
        """Add each row to the part that its key's hash names, as in the stage tables' buckets."""
        if self.parts == 1:
            self.add_sorted(rows, [rows.height])
            return
        parts = rows.select(part_number(key, self.parts)).to_series().to_numpy()
        order = np.argsort(parts.astype(np.uint16), kind="stable")  # of 16 bits: a radix sort
        ends = np.bincount(parts, minlength=self.parts).cumsum().tolist()
        self.add_sorted(rows.rechunk()[order], ends)  # gathers from many chunks are slow

    def add_sorted(self, rows: pl.DataFrame, ends: list[int]) -> None:
        """Add rows that are sorted by their part: those of part i end before row `ends[i]`.

        All rows that are ever added have the columns of the first.
        """
        if self._empty is None:
            self._empty = rows.clear()
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())  # strings side by side
        for part, (start, end) in enumerate(pairwise([0, *ends])):
            if end > start:
                self._held[part].append(table.slice(start, end - start))
        self._bytes += table.nbytes
        if self._bytes > self._limit:
            self._flush()

    def read(self, part: int) -> pl.DataFrame:
        """The rows of a part in the order they were added.

        Raises LookupError where nothing was ever added: there are no columns then.
        """
        if self._empty is None:
            raise LookupError(f"{self._folder}: nothing was spilled here")
        tables, path = [], self._file(part)
        if path.exists():
            with pa.OSFile(str(path)) as file:
                while file.tell() < file.size():
                    tables.append(pa.ipc.open_stream(file).read_all())
        tables += self._held[part]
        if not tables:
            return self._empty
        # put together by Arrow: polars takes each of many pieces over one by one
        whole = pa.concat_tables(tables).combine_chunks()
        return pl.DataFrame(whole, schema=self._empty.schema)

    def take(self, part: int) -> pl.DataFrame:
        """What `read` gives; the part is empty from then on, and what it took is free."""
        rows = self.read(part)
        self._held[part] = []
        self._file(part).unlink(missing_ok=True)
        return rows

    def _flush(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for part, tables in enumerate(self._held):
            if tables:
                with (
                    self._file(part).open("ab") as file,
                    pa.ipc.new_stream(file, tables[0].schema) as stream,
                ):
                    stream.write_table(pa.concat_tables(tables).combine_chunks())
                tables.clear()
        self._bytes = 0

    def _file(self, part: int) -> Path:
        return self._folder / f"{part:05d}.arrows"


class KeyOrder:
    """Rows in the order of their key, out of `parts` parts by the key's hash.

    Each part is a fair sample of all keys, so the first says where to cut the keys into ranges
    of about `rows_at_once` rows.
    """

    def __init__(
        self,
        folder: Path,
        parts: int,
        memory_mb: int,
        key: str = "image_key",
        rows_at_once: int = RANGE_ROWS,
    ) -> None:
        self._folder, self._memory_mb = folder, memory_mb
        self._parts, self._rows, self._key = parts, rows_at_once, key
        self._bounds: list[str] = []
        self._ranges: Spill | None = None

    def add(self, rows: pl.DataFrame) -> None:
        """Add a part, which is sorted by the key."""
        if self._ranges is None:
            ranges = max(1, min(ceil(rows.height * self._parts / self._rows), rows.height))
            places = [rows.height * number // ranges for number in range(1, ranges)]
            self._bounds = rows[self._key].gather(places).to_list()
            self._ranges = Spill(self._folder, ranges, self._memory_mb)
        cuts = [rows[self._key].search_sorted(bound, side="left") for bound in self._bounds]
        self._ranges.add_sorted(rows, [*cuts, rows.height])

    def take(self) -> Iterator[pl.DataFrame]:
        """All rows in order, a range at a time; each is held only until the next is asked for."""
        if self._ranges is not None:
            for number in range(self._ranges.parts):
                yield self._ranges.take(number).sort(self._key)


def open_parts(
    store: ObjectStore, path: str, parts: int, folder: Path, memory_mb: int
) -> Callable[[int], pl.LazyFrame]:
    """A stage table by parts of its key's hash.

    A part is whole buckets where `parts` divides their number; where it does not, the table is
    spilled below `folder` first.
    """
    info = present_table(store, path)
    buckets = len(info.buckets)
    if buckets % parts == 0:
        return lambda part: read_part(store, path, parts, part, info)
    spill = Spill(folder, parts, memory_mb)
    for bucket in range(buckets):
        spill.add(read_part(store, path, buckets, bucket, info).collect(), info.key[0])
    return lambda part: spill.read(part).lazy()
