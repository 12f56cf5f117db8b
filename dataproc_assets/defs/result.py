"""What an asset returns: its data version, and the metadata a person looks at."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

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


def gallery_links(lake: Lake, query: str, examples: Mapping[str, str]) -> dict[str, Any]:
    """Links to what `dataproc gallery` answers: a search, and why some images are where they are.

    `examples` are keys or image_ids by what they are an example of.
    """
    served = lake.project.gallery.served_at
    lines = [
        f"- {name}: [{image}]({served}/explain?of={quote(image)})"
        for name, image in examples.items()
    ]
    lines.append(f"- any image: `{served}/explain?of=` and its key, post, id, hash or URL")
    return {
        "search": dg.MetadataValue.url(f"{served}/search?q={quote(query)}"),
        "explain": dg.MetadataValue.md("\n".join(lines)),
    }


def counts_metadata(frame: pl.LazyFrame, value: pl.Expr, name: str) -> dg.MetadataValue:
    """Rows by a value as a table, most first."""
    return values_metadata([count_values(frame, value)], name)


def count_values(frame: pl.LazyFrame, value: pl.Expr) -> pl.DataFrame:
    """`value` str and `rows`: how many rows have each value, of a table or of a part of it."""
    return (
        frame.group_by(value.cast(pl.String).fill_null("none").alias("value"))
        .agg(rows=pl.len().cast(pl.Int64))
        .collect()
    )


def values_metadata(counts: Iterable[pl.DataFrame], name: str) -> dg.MetadataValue:
    """The `count_values` of all parts of a table as one table, most first."""
    total = pl.concat(counts).group_by("value").agg(pl.col("rows").sum())
    most = total.sort("rows", "value", descending=[True, False]).head(SAMPLE_REASONS)
    return frame_metadata(most.rename({"value": name}))


def frame_metadata(frame: pl.DataFrame) -> dg.MetadataValue:
    """A small frame of texts and whole numbers as a table."""
    kinds = {
        name: "string" if dtype == pl.String else "int" for name, dtype in frame.schema.items()
    }
    schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in kinds.items()])
    return dg.MetadataValue.table([dg.TableRecord(row) for row in frame.to_dicts()], schema=schema)


def reasons_metadata(counts: pl.DataFrame) -> dg.MetadataValue:
    """Counts by reason (`drop_reason`, `rows`) as a table."""
    named = counts.head(SAMPLE_REASONS).select(reason="drop_reason", rows="rows")
    return frame_metadata(named)


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
