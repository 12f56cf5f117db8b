"""A difference as values for programs, and as lines for a person."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from dataproc_assets.diff.grouped import grouped, some
from dataproc_assets.diff.releases import Difference

SHIFTS = 10  # of the balance


def values(found: Difference, reasons: dict[str, list[str]]) -> dict[str, Any]:
    """As JSON has it: every image with its reasons."""

    def listed(rows: pl.DataFrame) -> list[dict[str, Any]]:
        return [{**row, "reasons": reasons[row["image_id"]]} for row in rows.to_dicts()]

    return {
        "one": {"release": found.one.name, "digest": found.one.digest},
        "other": {"release": found.other.name, "digest": found.other.digest},
        "settings": [
            {"setting": ".".join(path), "one": old, "other": new}
            for path, old, new in found.settings
        ],
        "added": listed(found.added),
        "removed": listed(found.removed),
        "changed": found.changed.to_dicts(),
        "balance": found.balance.to_dicts(),
    }


def by_reason(rows: pl.DataFrame, reasons: dict[str, list[str]]) -> dict[str, list[str]]:
    """The representatives of images by their reasons, the reason of most images first."""
    names = ("; ".join(reasons[image]) for image in rows["image_id"])
    return grouped(names, rows["representative"])


def by_parts(changed: pl.DataFrame) -> dict[str, list[str]]:
    """The representatives of images with other prompts, by the parts that differ."""
    names = (", ".join(parts) or "the recipe alone" for parts in changed["parts"].to_list())
    return grouped(names, changed["representative"])


def lines(found: Difference, reasons: dict[str, list[str]]) -> Iterator[str]:
    """What changed, as text."""
    one, other = found.one, found.other
    yield f"{one.name} ({one.digest[:12]}) -> {other.name} ({other.digest[:12]})"
    yield f"  images {one.counts['images']:,} -> {other.counts['images']:,}"
    for path, old, new in found.settings:
        yield f"  setting {'.'.join(path[1:])}: {old} -> {new}"
    if not found.settings:
        yield "  no setting differs"
    for verb, rows in (("added", found.added), ("removed", found.removed)):
        yield f"  {verb}: {rows.height:,}"
        for reason, keys in by_reason(rows, reasons).items():
            yield f"    {len(keys):,} by {reason}: {some(keys)}"
    yield f"  other prompts: {found.changed.height:,}"
    for part, keys in by_parts(found.changed).items():
        yield f"    {len(keys):,} by {part}: {some(keys)}"
    for row in found.balance.head(SHIFTS).iter_rows(named=True):
        counts = f"{row['one']:,} -> {row['other']:,}"
        yield f"  {row['field']} {row['value']}: {counts} ({100 * row['shift']:+.1f} points)"
