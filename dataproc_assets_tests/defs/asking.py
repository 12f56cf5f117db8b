"""Checks that are asked of a table, as it is and as a test has changed it."""

from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.defs.stage import Check, outcomes
from dataproc_assets.storage.lake import Lake


def ask(
    checks: tuple[Check, ...], lake: Lake, asset: str, partition: str | None = None
) -> dict[str, dg.AssetCheckResult]:
    """What the checks of an asset say of its table as it now is, by name."""
    results = outcomes(checks, asset, lake, partition)
    return {result.check_name or "": result for result in results}


def failed(results: dict[str, dg.AssetCheckResult]) -> list[str]:
    """The checks that did not pass."""
    return [name for name, result in results.items() if not result.passed]


def figures(result: dg.AssetCheckResult) -> dict[str, Any]:
    """The values of a check's metadata."""
    return {name: item.value for name, item in result.metadata.items()}


def tamper(
    lake: Lake,
    table: str,
    partition: str | None,
    edit: Callable[[pl.DataFrame], pl.DataFrame],
    stage: str | None = None,
) -> None:
    """Write a table with other rows than its stage made, as fresh as before."""
    info = lake.info(table, partition)
    assert info is not None
    rows = edit(lake.read(table, partition).collect())
    name = table if stage else None
    lake.write(stage or table, partition, rows, key=info.key, inputs=info.inputs, table=name)
