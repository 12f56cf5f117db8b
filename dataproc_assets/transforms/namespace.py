"""The `{source}__` prefix of a source's own columns, put on and taken off."""

from collections.abc import Iterable

import polars as pl


def add_namespace(lf: pl.LazyFrame, source: str, columns: Iterable[str]) -> pl.LazyFrame:
    """Rename each of `columns` to `{source}__{column}`."""
    return lf.rename({column: f"{source}__{column}" for column in columns})


def strip_namespace(lf: pl.LazyFrame, source: str) -> pl.LazyFrame:
    """Rename each `{source}__{field}` to `{field}`; other columns stay.

    Raises ValueError when that would give two columns one name.
    """
    names = lf.collect_schema().names()
    prefix = f"{source}__"
    stripped = {name: name.removeprefix(prefix) for name in names if name.startswith(prefix)}
    clash = sorted(set(stripped.values()) & set(names))
    if clash:
        raise ValueError(
            f"cannot strip {prefix!r}: the table already has {', '.join(clash)}; "
            f"rename or drop that column first"
        )
    return lf.rename(stripped)
