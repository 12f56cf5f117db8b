"""The objects of an S3 Inventory report as a listing."""

from collections.abc import Iterator
from urllib.parse import unquote_plus

import polars as pl

from dataproc_assets.storage.listed import LISTING_SCHEMA, sorted_listing
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.report_files import VERSIONED, file_batches
from dataproc_assets.storage.report_manifest import AGAIN, Report, ReportError


def read_report(report: Report, store: ObjectStore, prefix: str) -> pl.DataFrame:
    """The objects below a folder of a store, exactly as `store.list` would have given them.

    Of a bucket with versions only the present ones count, and none that is deleted. File by file
    and batch by batch: what is not below the folder is never held.

    Raises ReportError, ConnectionError.
    """
    return sorted_listing(_pages(report, store, prefix))


def _pages(report: Report, store: ObjectStore, prefix: str) -> Iterator[pl.DataFrame]:
    root = store.url.removeprefix("s3://").partition("/")[2]
    above = f"{root}/" if root else ""
    below = f"{above}{prefix}/" if prefix else above
    for file in report.manifest.files:
        place = report.bucket.uri(file.key)
        for batch in file_batches(report, file):
            try:
                rows = _current(batch).filter(pl.col("key").is_not_null())
                if report.manifest.format == "CSV":
                    rows = rows.with_columns(_decoded(rows["key"]))
                rows = rows.filter(pl.col("key").str.starts_with(below))
                page = _listing(rows, above)
            except pl.exceptions.PolarsError as error:
                cause = str(error).partition("\n")[0]
                raise ReportError(place, f"a value cannot be read: {cause}", AGAIN) from error
            _check(place, page)
            yield page


def _current(rows: pl.DataFrame) -> pl.DataFrame:
    """The present versions that are no mark of a deletion; values are booleans or their names."""
    flags = [name for name in VERSIONED if name in rows.columns]
    text = rows.with_columns(pl.col(name).cast(pl.String).str.to_lowercase() for name in flags)
    for name in flags:
        text = text.filter(pl.col(name).is_in(["true"] if name == "is_latest" else ["false", ""]))
    return text


def _decoded(keys: pl.Series) -> pl.Series:
    """Keys of a CSV file as they are; in the file they are encoded as a form is, with `+`."""
    coded = keys.str.contains("[%+]")
    if not coded.any():
        return keys
    pairs = zip(keys, coded, strict=True)
    return pl.Series(keys.name, [unquote_plus(key) if is_coded else key for key, is_coded in pairs])


def _listing(rows: pl.DataFrame, above: str) -> pl.DataFrame:
    """Rows in LISTING_SCHEMA: a path counts from the store's root, that of a mark has no `/`."""
    stamp = pl.col("last_modified_date")
    if rows.schema["last_modified_date"] == pl.String:
        stamp = stamp.str.to_datetime("%+", time_unit="us", time_zone="UTC")
    elif rows.schema["last_modified_date"].time_zone is None:  # type: ignore[attr-defined]
        stamp = stamp.dt.replace_time_zone("UTC")
    return rows.select(
        path=pl.col("key").str.strip_prefix(above).str.strip_suffix("/"),
        size=pl.col("size").cast(pl.Int64),
        modified=stamp.cast(LISTING_SCHEMA["modified"]),
        version=pl.col("e_tag").str.strip_chars('"'),
    ).filter(pl.col("path") != "")


def _check(place: str, page: pl.DataFrame) -> None:
    """Raise ReportError for a row without a value."""
    empty = page.filter(pl.any_horizontal(pl.all().is_null()) | (pl.col("version") == ""))
    if empty.height:
        what = f"{empty['path'][0]!r} has no size, time or ETag"
        raise ReportError(place, what, AGAIN)
