"""Stage tables side by side, a part of their keys at a time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from dataproc_assets.storage import layout
from dataproc_assets.storage.ahead import ahead
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.spill import open_parts, part_count
from dataproc_assets.storage.tables import TableInfo, present_table

AHEAD = 2  # parts that are made while one is written


@dataclass(frozen=True)
class TableParts:
    """Some stage tables of one kind of key by that key's hash: the same keys in each part.

    Attributes:
        count: how many parts there are; it divides the number of buckets of the stage tables.
        read: a table's rows of one part, by the table's name and the part's number.
    """

    lake: Lake
    count: int
    read: Callable[[str, int], pl.LazyFrame]

    def each(self, work: Callable[[int], pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """What `work` makes of each part, in their order; the next ones are made ahead."""
        return ahead(work, range(self.count), AHEAD)

    def write(
        self,
        stage: str,
        partition: str | None,
        inputs: dict[str, str],
        work: Callable[[int], pl.DataFrame],
        look: Callable[[pl.DataFrame], None] = lambda rows: None,
        key: str | list[str] = "image_key",
    ) -> TableInfo:
        """Write a stage of what `work` makes of each part, of which few are held at a time.

        `look` is shown the rows of each part as they are written.
        """
        table = self.lake.writer(stage, partition, key)
        for part, rows in enumerate(self.each(work)):
            table.add(rows, self.count, part)
            look(rows)
        return table.finish(inputs, self.lake.code_version(stage, partition))


Table = tuple[str, str | None]  # a stage table and its partition


def open_tables(
    lake: Lake, tables: Mapping[str, Table], folder: Path, memory_mb: int
) -> tuple[int, Callable[[str, int], pl.LazyFrame]]:
    """In how many parts to work on stage tables that have the same key, and what reads one.

    The tables are named by the keys of `tables`. With one bucket a table there is one part. A
    table that was written in another number of buckets is split below `folder`, as far as
    `memory_mb`, which all share, does not hold it.
    """
    paths = {name: layout.stage_path(*table) for name, table in tables.items()}
    rows = max(present_table(lake.store, path).rows for path in paths.values())
    count = part_count(rows, lake.project.profile.storage.table_buckets)
    opened = {
        name: open_parts(lake.store, path, count, folder / name, memory_mb // len(paths))
        for name, path in paths.items()
    }
    return count, lambda table, part: opened[table](part)


@contextmanager
def table_parts(lake: Lake, tables: Mapping[str, str | None]) -> Iterator[TableParts]:
    """The parts of stage tables, each named with its partition, by `open_tables`."""
    with TemporaryDirectory(prefix="parts-") as folder:
        memory_mb = lake.project.profile.storage.memory_mb
        named = {name: (name, partition) for name, partition in tables.items()}
        yield TableParts(lake, *open_tables(lake, named, Path(folder), memory_mb))
