"""What an asset returns: its data version, and the metadata a person looks at."""

from collections.abc import Iterable
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.tables import TableInfo

SAMPLE_REASONS = 50


def table_result(
    lake: Lake,
    asset: str,
    partition: str | None,
    info: TableInfo,
    metadata: dict[str, Any] | None = None,
) -> dg.MaterializeResult:
    """The result of an asset that wrote a stage table."""
    columns = [dg.TableColumn(name, kind) for name, kind in info.columns.items()]
    return dg.MaterializeResult(
        asset_key=asset,
        data_version=dg.DataVersion(lake.state(asset, partition)),
        metadata={
            "dagster/row_count": info.rows,
            "bytes": info.bytes,
            "digest": info.digest,
            "dagster/column_schema": dg.TableSchema(columns),
            "dagster/uri": lake.store.uri(lake.path(asset, partition)),
            **(metadata or {}),
        },
    )


def counts_metadata(frame: pl.LazyFrame, value: pl.Expr, name: str) -> dg.MetadataValue:
    """Rows by a value as a table, most first."""
    counts = (
        frame.group_by(value.cast(pl.String).fill_null("none").alias(name))
        .agg(rows=pl.len())
        .sort("rows", name, descending=[True, False])
        .head(SAMPLE_REASONS)
        .collect()
    )
    records = [dg.TableRecord({name: key, "rows": count}) for key, count in counts.iter_rows()]
    schema = dg.TableSchema([dg.TableColumn(name, "string"), dg.TableColumn("rows", "int")])
    return dg.MetadataValue.table(records, schema=schema)


def reasons_metadata(counts: pl.DataFrame) -> dg.MetadataValue:
    """Counts by reason (`drop_reason`, `rows`) as a table."""
    rows = counts.head(SAMPLE_REASONS).select("drop_reason", "rows").iter_rows()
    records = [dg.TableRecord({"reason": reason, "rows": count}) for reason, count in rows]
    schema = dg.TableSchema([dg.TableColumn("reason", "string"), dg.TableColumn("rows", "int")])
    return dg.MetadataValue.table(records, schema=schema)


def count_reasons(frame: pl.LazyFrame, reason: str) -> pl.DataFrame:
    """How many rows each reason dropped: `drop_reason`, `rows`, most first."""
    return (
        frame.filter(pl.col(reason).is_not_null())
        .group_by(drop_reason=pl.col(reason))
        .agg(rows=pl.len())
        .sort("rows", "drop_reason", descending=[True, False])
        .collect()
    )


def add_counts(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The `count_reasons` of all, from those of its parts."""
    return (
        pl.concat(parts)
        .group_by("drop_reason")
        .agg(pl.col("rows").sum())
        .sort("rows", "drop_reason", descending=[True, False])
    )
