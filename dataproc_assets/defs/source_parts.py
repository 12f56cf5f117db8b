"""Tables of one source side by side, a part of its keys at a time."""

from collections.abc import Callable, Iterator
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
class SourceParts:
    """Some stage tables of a source by the hash of the image's key: the same keys in each part.

    Attributes:
        count: how many parts there are; it divides the number of buckets of the stage tables.
        read: a table's rows of one part, by the table's name and the part's number.
    """

    lake: Lake
    source: str
    count: int
    read: Callable[[str, int], pl.LazyFrame]

    def each(self, work: Callable[[int], pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """What `work` makes of each part, in their order; the next ones are made ahead."""
        return ahead(work, range(self.count), AHEAD)

    def write(
        self,
        stage: str,
        inputs: dict[str, str],
        work: Callable[[int], pl.DataFrame],
        look: Callable[[pl.DataFrame], None] = lambda rows: None,
    ) -> TableInfo:
        """Write a stage of what `work` makes of each part, of which few are held at a time.

        `look` is shown the rows of each part as they are written.
        """
        table = self.lake.writer(stage, self.source)
        for part, rows in enumerate(self.each(work)):
            table.add(rows, self.count, part)
            look(rows)
        return table.finish(inputs, self.lake.code_version(stage, self.source))


@contextmanager
def source_parts(lake: Lake, source: str, *tables: str) -> Iterator[SourceParts]:
    """The parts of stage tables, whose key is `image_key`.

    With one bucket a table there is one part. A table that was written in another number of
    buckets is split on the local disk, as far as the profile's memory does not hold it.
    """
    storage = lake.project.profile.storage
    paths = {name: layout.stage_path(name, source) for name in tables}
    rows = max(present_table(lake.store, path).rows for path in paths.values())
    count = part_count(rows, storage.table_buckets)
    memory_mb = storage.memory_mb // len(tables)
    with TemporaryDirectory(prefix="parts-") as folder:
        opened = {
            name: open_parts(lake.store, path, count, Path(folder) / name, memory_mb)
            for name, path in paths.items()
        }
        yield SourceParts(lake, source, count, lambda table, part: opened[table](part))
