"""How new content differs from a published release, in a few lines for a person."""

from typing import Any

import polars as pl

from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.rows import read_tables
from dataproc_assets.storage.objects import ObjectStore

SHOWN = 3


def differences(
    store: ObjectStore, existing: Manifest, config: dict[str, Any], train: pl.DataFrame
) -> list[str]:
    """Config keys, counts of rows gone, new and changed, and the first shards they touch.

    Where neither differs, it is the form of the files that does.
    """
    lines = [
        f"config {key}: {_get(existing.config, key)!r} -> {_get(config, key)!r}"
        for key in sorted(_leaves(existing.config) | _leaves(config))
        if _get(existing.config, key) != _get(config, key)
    ]
    old = read_tables(store, existing)
    gone = old.join(train, on="image_id", how="anti")
    new = train.join(old, on="image_id", how="anti")
    changed = _changed(old, train)
    columns = sorted(set(old.columns) ^ set(train.columns))
    if not lines and not columns and all(part.is_empty() for part in (gone, new, changed)):
        return ["neither rows nor config: this version of the program writes other files"]
    lines.append(
        f"rows: {old.height} -> {train.height}; {_some('gone', gone)}; {_some('new', new)}; "
        f"{_some('changed', changed)}"
    )
    if columns:
        lines.append(f"columns in one of the two only: {', '.join(columns)}")
    shards = pl.concat([old, train], how="diagonal_relaxed").join(
        pl.concat([part.select("image_id") for part in (gone, new, changed)]), on="image_id"
    )
    touched = shards["shard"].drop_nulls().unique().sort()
    if len(touched):
        lines.append(f"{len(touched)} shards differ (first: {', '.join(touched.head(SHOWN))})")
    return lines


def _changed(old: pl.DataFrame, train: pl.DataFrame) -> pl.DataFrame:
    """The rows of both whose values differ, by the columns that both have."""
    shared = [name for name in old.columns if name in train.columns and name != "image_id"]
    both = old.join(train, on="image_id", how="inner", suffix="__new")
    same = [pl.col(name).eq_missing(pl.col(f"{name}__new")) for name in shared]
    return both.filter(~pl.all_horizontal(same))


def _some(what: str, rows: pl.DataFrame) -> str:
    first = rows["image_id"].sort().head(SHOWN).to_list()
    return f"{rows.height} {what}" + (f" (first: {', '.join(first)})" if first else "")


def _leaves(value: dict[str, Any], prefix: str = "") -> set[str]:
    """The dotted keys of all values that are no mapping."""
    names: set[str] = set()
    for key, inner in value.items():
        if isinstance(inner, dict):
            names |= _leaves(inner, f"{prefix}{key}.")
        else:
            names.add(f"{prefix}{key}")
    return names


def _get(value: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        value = value.get(part, {}) if isinstance(value, dict) else {}
    return value if value != {} else None
