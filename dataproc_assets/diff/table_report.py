"""What changed in a stage table, as values for programs and as lines for a person."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from dataproc_assets.diff.grouped import grouped, some
from dataproc_assets.diff.tables import TableDifference


def table_values(found: TableDifference) -> dict[str, Any]:
    """As JSON has it: every row that differs."""
    return {
        "one": {"table": found.one.asked, "digest": found.one.info.digest},
        "other": {"table": found.other.asked, "digest": found.other.info.digest},
        "made_of": [
            {"input": name, "one": before, "other": after} for name, before, after in found.made_of
        ],
        "columns_added": found.columns_added,
        "columns_removed": found.columns_removed,
        "added": found.added.to_dicts(),
        "removed": found.removed.to_dicts(),
        "changed": found.changed.to_dicts(),
        "moves": found.moves.to_dicts(),
    }


def table_lines(found: TableDifference) -> Iterator[str]:
    """As text."""
    one, other = found.one, found.other
    yield f"{one.asked} ({one.info.digest[:12]}) -> {other.asked} ({other.info.digest[:12]})"
    yield f"  rows {one.info.rows:,} -> {other.info.rows:,}"
    for name, before, after in found.made_of:
        yield f"  made of {name}: {before[:12] or 'nothing'} -> {after[:12] or 'nothing'}"
    if not found.made_of:
        yield "  made of the same"
    for verb, names in (("new", found.columns_added), ("lost", found.columns_removed)):
        if names:
            yield f"  {verb} columns: {', '.join(names)}"
    for verb, rows in (("added", found.added), ("removed", found.removed)):
        yield f"  {verb}: {rows.height:,}"
        for reason, keys in by_reason(rows).items():
            yield f"    {len(keys):,} by {reason}: {some(keys)}"
    yield f"  changed: {found.changed.height:,}"
    for columns, keys in by_columns(found.changed).items():
        yield f"    {len(keys):,} in {columns}: {some(keys)}"
    for row in found.moves.iter_rows(named=True):
        yield f"  {row['column']}: {row['rows']:,} from {row['one']} to {row['other']}"


def by_reason(rows: pl.DataFrame) -> dict[str, list[str]]:
    """The keys of rows by `reason`, that of most rows first."""
    return _groups(rows, rows["reason"].to_list())


def by_columns(changed: pl.DataFrame) -> dict[str, list[str]]:
    """The keys of changed rows by the columns that differ, those of most rows first."""
    return _groups(changed, [", ".join(names) for names in changed["columns"].to_list()])


def _groups(rows: pl.DataFrame, names: list[str]) -> dict[str, list[str]]:
    keys = rows.drop("reason", "columns", strict=False).rows()
    return grouped(names, (" ".join(map(str, key)) for key in keys))
