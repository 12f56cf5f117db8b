"""Unit files of pending work: named by the digest of their rows, there until they are done."""

import polars as pl

from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet

SUFFIX = ".todo.parquet"


def make_units(rows: pl.DataFrame, unit_rows: int) -> dict[str, bytes]:
    """Pending rows, in their order, as unit files of at most `unit_rows` rows: name -> bytes.

    The name is the digest of what is to be done, not of where the images lie.
    """
    units = {}
    for start in range(0, rows.height, unit_rows):
        unit = rows.slice(start, unit_rows)
        name = frame_digest(unit.drop("uri", "offset", "length"))[:16]
        units[f"{name}{SUFFIX}"] = to_parquet(unit)
    return units


def replace_units(store: ObjectStore, folder: str, units: dict[str, bytes]) -> None:
    """Make a folder hold these unit files and no others."""
    for name, data in units.items():
        store.put(f"{folder}/{name}", data)
    for path in store.list(folder)["path"]:
        if path.removeprefix(f"{folder}/") not in units:
            store.delete(path)


def read_units(store: ObjectStore, folder: str) -> dict[str, bytes]:
    """The unit files of a folder, by name."""
    paths = [path for path in store.list(folder)["path"] if path.endswith(SUFFIX)]
    return {path.removeprefix(f"{folder}/"): store.get(path) for path in sorted(paths)}


def unit_rows(units: dict[str, bytes]) -> pl.DataFrame | None:
    """All rows of unit files; None where there is no unit."""
    return pl.concat([from_parquet(data) for data in units.values()]) if units else None
