"""What record files gave when they were parsed, kept so that an unchanged file is not read again.

A unit holds the rows of many record files. It is named by the digest of its bytes: one that was cut
or edited is seen, and made again. Files that are new or changed are parsed into new units, one
after the other, so that an intake that was ended goes on where it stopped. Units of which less than
half is filled by files that are still there are written again as one, so there are never many;
until then the rows of a file that is gone stay in its unit, and are passed over.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet

FILE = ["file_uri", "file_offset", "file_version"]
_HAS_ROW = "file_has_row"

Parse = Callable[[pl.DataFrame], tuple[pl.DataFrame, pl.Series]]
"""From files to their rows, each with the number of its file in `file` (UInt32), and whether each
file's content was read: what is gone or was replaced meanwhile is not kept."""


@dataclass(frozen=True)
class Parsed:
    """All rows, in no order; how many files were parsed, and how many were known."""

    rows: pl.DataFrame
    parsed: int
    known: int


class ParsedFiles:
    """The units of one source and one way to parse, in a folder that holds nothing else."""

    def __init__(self, store: ObjectStore, folder: str, config: RecordFilesConfig) -> None:
        self._store, self._folder, self._config = store, folder, config
        self._half = max(config.unit_files // 2, 1)

    def rows(self, files: pl.DataFrame, parse: Parse) -> Parsed:
        """The rows of all files, parsed where they are not known.

        Args:
            files: FILE_SCHEMA, one row an address.

        Raises what `parse` raises; what was parsed until then is kept.
        """
        named = files.with_columns(**_identity())
        units = self._known(named.select(FILE))
        known = [unit.select(FILE).unique() for unit in units.values()]
        seen = pl.concat([named.select(FILE).clear(), *known])
        missing = named.join(seen, on=FILE, how="anti", maintain_order="left")
        nothing = named.clear()
        passing = [_with_files(nothing.select(FILE), parse(nothing)[0])]
        for group in self._groups(missing):
            rows, was_read = parse(group)
            whole = _with_files(group.select(FILE), rows)
            lasting = group.select(FILE).filter(was_read)
            if lasting.height:
                kept = whole.join(lasting, on=FILE, how="semi", maintain_order="left")
                units[self._write(kept)] = kept
            passing.append(whole.join(lasting, on=FILE, how="anti", maintain_order="left"))
        self._tidy(units)
        everything = pl.concat([*passing, *units.values()])
        rows = everything.filter(_HAS_ROW).drop(*FILE, _HAS_ROW)
        return Parsed(rows, missing.height, files.height - missing.height)

    def forget(
        self,
        gone: Callable[[pl.DataFrame], pl.Series],
        files: Callable[[pl.DataFrame], pl.Series],
    ) -> None:
        """Take rows, and whole files, out of every unit.

        Args:
            gone: of rows, whether each is to go (Boolean); their file is still known as read.
            files: of rows, whether their file, `file_uri`, is to be forgotten with all its rows.
        """
        for path in self._store.list(self._folder)["path"]:
            whole = from_parquet(self._store.get(path))
            unit = whole.filter(~files(whole))
            leaves = gone(unit) & unit[_HAS_ROW]
            if unit.height == whole.height and not leaves.any():
                continue
            kept, left = unit.filter(~leaves), unit.filter(leaves)
            bare = left.select(FILE).unique(maintain_order=True)
            bare = bare.join(kept.select(FILE).unique(), on=FILE, how="anti", maintain_order="left")
            rowless = bare.with_columns(pl.lit(False).alias(_HAS_ROW))
            self._write(pl.concat([kept, rowless], how="diagonal"))
            self._store.delete(path)

    def _known(self, wanted: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """The rows of files that are wanted, by unit; each file counts once."""
        units: dict[str, pl.DataFrame] = {}
        for path in self._store.list(self._folder)["path"]:
            data = self._store.get(path)
            if path != self._path(data):
                continue
            unit = from_parquet(data).join(wanted, on=FILE, how="semi", maintain_order="left")
            if unit.height:
                units[path] = unit
                wanted = wanted.join(unit.select(FILE).unique(), on=FILE, how="anti")
        return units

    def _groups(self, files: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Files in their order, as many at a time as make a unit."""
        by_bytes = pl.col("size").cum_sum() // self._config.unit_bytes
        by_count = pl.int_range(pl.len()) // self._config.unit_files
        cuts = files.with_columns(_group=pl.struct(by_bytes, by_count.alias("_count")).rle_id())
        for group in cuts.partition_by("_group", maintain_order=True):
            yield group.drop("_group")

    def _write(self, unit: pl.DataFrame) -> str:
        data = to_parquet(unit)
        self._store.put(self._path(data), data)
        return self._path(data)

    def _tidy(self, units: dict[str, pl.DataFrame]) -> None:
        """Write units that are less than half full again as one; remove what is not needed."""
        small = [path for path, unit in units.items() if self._is_small(unit)]
        keep = set(units)
        if len(small) > 1:
            rows = pl.concat([units[path] for path in small])
            files = rows.select(FILE).unique(maintain_order=True).with_row_index("_file")
            numbered = rows.join(files, on=FILE, maintain_order="left")
            number = pl.col("_file") // self._config.unit_files
            parts = numbered.with_columns(_unit=number).partition_by("_unit", maintain_order=True)
            keep -= set(small)
            keep |= {self._write(part.drop("_unit", "_file")) for part in parts}
        for path in self._store.list(self._folder)["path"]:
            if path not in keep:
                self._store.delete(path)

    def _is_small(self, unit: pl.DataFrame) -> bool:
        few = unit.select(FILE).n_unique() < self._half
        return few and unit.estimated_size() < self._config.unit_bytes // 2

    def _path(self, data: bytes) -> str:
        return f"{self._folder}/{bytes_digest(data)[:32]}.records.parquet"


def _identity() -> dict[str, pl.Expr]:
    """What a version of a file is: a member's own is its size and its header's time alone."""
    whole = pl.col("offset").is_null()
    of_member = pl.format("{} {}", "version", pl.col("modified").dt.epoch("us"))
    return {
        "file_uri": pl.col("uri"),
        "file_offset": pl.col("offset").fill_null(-1),
        "file_version": pl.when(whole).then("version").otherwise(of_member),
    }


def _with_files(files: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with their files; a file without rows has one that says so."""
    marked = rows.with_columns(pl.lit(True).alias(_HAS_ROW))
    numbered = files.with_row_index("file")
    joined = numbered.join(marked, on="file", how="left", maintain_order="left").drop("file")
    return joined.with_columns(pl.col(_HAS_ROW).fill_null(False))
