"""Unit files of pending work: named by the digest of their rows, there until they are done."""

from collections.abc import Iterable, Iterator

import polars as pl

from dataproc_assets.storage.ahead import ahead
from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet

SUFFIX = ".todo.parquet"


def make_units(rows: pl.DataFrame, unit_rows: int) -> dict[str, bytes]:
    """Pending rows, in their order, as unit files of at most `unit_rows` rows: name -> bytes.

    The name is the digest of what is to be done, not of where the images lie.
    """
    return dict(cut_units([rows], unit_rows))


def cut_units(frames: Iterable[pl.DataFrame], unit_rows: int) -> Iterator[tuple[str, bytes]]:
    """The unit files of `make_units`, one after the other, of rows that come frame by frame."""
    return ahead(_unit, _slices(frames, unit_rows))


def _slices(frames: Iterable[pl.DataFrame], unit_rows: int) -> Iterator[pl.DataFrame]:
    """The rows of each unit."""
    rest: pl.DataFrame | None = None
    for frame in frames:
        rows = frame if rest is None else pl.concat([rest, frame])
        whole = rows.height // unit_rows * unit_rows
        for start in range(0, whole, unit_rows):
            yield rows.slice(start, unit_rows)
        rest = rows.slice(whole)
    if rest is not None and rest.height:
        yield rest


def replace_units(
    store: ObjectStore, folder: str, units: dict[str, bytes] | Iterable[tuple[str, bytes]]
) -> int:
    """Make a folder hold these unit files and no others; returns how many they are.

    The new ones are written before an old one is taken away.
    """
    names = set()
    for name, data in units.items() if isinstance(units, dict) else units:
        store.put(f"{folder}/{name}", data)
        names.add(name)
    for path in store.list(folder)["path"]:
        if path.removeprefix(f"{folder}/") not in names:
            store.delete(path)
    return len(names)


def iter_units(store: ObjectStore, folder: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """The units of a folder, name and rows, one after the other: for what need not hold them."""
    for path in sorted(store.list(folder)["path"]):
        if path.endswith(SUFFIX):
            yield path.removeprefix(f"{folder}/"), from_parquet(store.get(path))


def read_units(store: ObjectStore, folder: str) -> dict[str, bytes]:
    """The unit files of a folder, by name."""
    paths = [path for path in store.list(folder)["path"] if path.endswith(SUFFIX)]
    return {path.removeprefix(f"{folder}/"): store.get(path) for path in sorted(paths)}


def unit_rows(units: dict[str, bytes]) -> pl.DataFrame | None:
    """All rows of unit files; None where there is no unit."""
    return pl.concat([from_parquet(data) for data in units.values()]) if units else None


def _unit(rows: pl.DataFrame) -> tuple[str, bytes]:
    name = frame_digest(rows.drop("uri", "offset", "length"))[:16]
    return f"{name}{SUFFIX}", to_parquet(rows)
