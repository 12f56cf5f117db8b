"""Raw records to rows, and of several records of one image the one that counts."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import ValidationError

from dataproc_assets.config.sources import NATIVE_ID, SourceConfig
from dataproc_assets.sources.adapters import adapter
from dataproc_assets.sources.columns import RECORD_SCHEMA
from dataproc_assets.sources.decode import decode
from dataproc_assets.sources.items import Item

RECORDS_SCHEMA = pl.Schema(RECORD_SCHEMA | {"record_place": pl.String})
"""`RECORD_SCHEMA` and where the record was found."""

PARSED_SCHEMA = pl.Schema(
    RECORDS_SCHEMA | {"updated": pl.Datetime("us", "UTC"), "reason": pl.String}
)
"""One row an item, as it was read: `reason` is null for a record, else why it is none."""

_NO_LISTS = {name: [] for name, dtype in PARSED_SCHEMA.items() if isinstance(dtype, pl.List)}
_ARROW_SCHEMA = PARSED_SCHEMA.to_frame().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
_CHUNK = 20_000
_NATIVE_ID = re.compile(NATIVE_ID)
_DIGITS = re.compile(r"\d+")
_MESSAGES = {"missing": "field required", "model_type": "not an object"}


def parse_records(source: SourceConfig, items: Iterable[Item]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read raw records, each with the place it was found at (an address a person can follow).

    Returns records (`RECORDS_SCHEMA`, sorted by `image_key`, which is unique) and rejects
    (`REJECT_SCHEMA`, sorted by place). Bad data is rejected, never raised. Of several records of
    one image the last counts: by the site's time of update, then by place with numbers in numeric
    order; the others are rejected as superseded. The order of `items` does not matter.
    """
    return settle_records(parse_items(source, items), source.name)


def parse_items(source: SourceConfig, items: Iterable[Item]) -> pl.DataFrame:
    """One row an item, in their order, in `PARSED_SCHEMA`."""
    read = _reader(source)
    rows: list[dict[str, Any]] = []
    frames: list[pl.DataFrame] = []
    for place, payload in items:
        try:
            row = read(decode(payload))
        except ValueError as error:
            row = _NO_LISTS | {"reason": _reason(error)}
        row["record_place"] = place
        rows.append(row)
        if len(rows) == _CHUNK:
            frames.append(_frame(rows))
            rows = []
    return pl.concat([*frames, _frame(rows)])


def settle_records(parsed: pl.DataFrame, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records and rejects, as `parse_records` returns them, of rows in any order."""
    records = parsed.filter(pl.col("reason").is_null())
    rejects = _rejects(parsed.filter(pl.col("reason").is_not_null()), source)
    several = pl.col("image_key").is_duplicated()
    last, superseded = _latest(records.filter(several), source)
    records = pl.concat([records.filter(~several), last]).select(RECORDS_SCHEMA.names())
    return records.sort("image_key"), pl.concat([rejects, superseded]).sort("place", "reason")


def _reader(source: SourceConfig) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The adapter, completed by the columns that follow from the source's configuration."""
    to_common, template, parts = adapter(source), source.native_id, source.key_parts

    def read(raw: dict[str, Any]) -> dict[str, Any]:
        row = _NO_LISTS | to_common(raw)
        names = {"id": row.get("post_id"), "page": row.get("page"), "asset": row.pop("asset", None)}
        for part in parts:
            if names[part] is None:
                raise ValueError(f"{part}: field required")
        native = template.format_map(names)
        if not _NATIVE_ID.fullmatch(native):
            raise ValueError("id: has other characters than letters, digits, - and _")
        row["image_key"] = f"{source.name}/{native}"
        row["source"] = source.name
        return row

    return read


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    # Arrow takes lists of texts as they are; polars would make a series of each.
    return pl.DataFrame(pa.Table.from_pylist(rows, schema=_ARROW_SCHEMA)).cast(PARSED_SCHEMA)


def _rejects(rows: pl.DataFrame, source: str) -> pl.DataFrame:
    return rows.select(source=pl.lit(source), place="record_place", reason="reason")


def _latest(records: pl.DataFrame, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The last record of each image, and the others as rejects."""
    place = pl.Series("_place", map(_in_order, records["record_place"]), pl.String)
    # Two records of one image at one place have no other order than that of their content.
    content = records.select(pl.struct(pl.all()).struct.json_encode().alias("_content"))
    by = ["image_key", "updated", "_place", "_content"]
    ordered = records.with_columns(place, content["_content"]).sort(by, nulls_last=False)
    winner = pl.col("record_place").last().over("image_key")
    marked = ordered.with_columns(pl.format("superseded by {}", winner).alias("reason"))
    is_last = pl.col("image_key").is_last_distinct()
    last = ordered.filter(is_last).drop("_place", "_content")
    return last, _rejects(marked.filter(~is_last), source)


def _in_order(place: str) -> str:
    """A place whose numbers stand in the order of numbers when it is compared as text."""
    return _DIGITS.sub(lambda digits: digits[0].zfill(20), place)


def _reason(error: ValueError) -> str:
    """A short reason that is equal for equal faults, without the record's own values."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = _MESSAGES.get(first["type"]) or str(first.get("ctx", {}).get("error", first["msg"]))
    return f"{place}: {message}"
