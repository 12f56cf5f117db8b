"""Raw records to the table of records and the table of rejects."""

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import ValidationError

from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources.adapters import adapter
from dataproc_assets.sources.columns import RECORD_SCHEMA, REJECT_SCHEMA
from dataproc_assets.sources.items import Item, Payload

RECORDS_SCHEMA = pl.Schema(RECORD_SCHEMA | {"record_place": pl.String})
"""`RECORD_SCHEMA` and where the record was found."""

_ORDER = {"updated": pl.Datetime("us", "UTC"), "order": pl.String, "digest": pl.String}
"""The last of equal keys in this order counts."""

_SCHEMA = pl.Schema(RECORDS_SCHEMA | _ORDER)
_ARROW_SCHEMA = _SCHEMA.to_frame().to_arrow(compat_level=pl.CompatLevel.oldest()).schema
_UNKNOWN: dict[str, Any] = {"updated": None} | {
    name: [] if isinstance(dtype, pl.List) else None for name, dtype in RECORD_SCHEMA.items()
}
_CHUNK = 50_000
_MESSAGES = {"missing": "field required", "model_type": "not an object"}


def parse_records(source: SourceConfig, items: Iterable[Item]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read raw records, each with the place it was found at (an address a person can follow).

    Returns records (`RECORDS_SCHEMA`, sorted by `image_key`, which is unique) and rejects
    (`REJECT_SCHEMA`, sorted by place). Bad data is rejected, never raised. Of several records of
    one image the last counts: by the site's time of update, then by place with numbers in numeric
    order; the others are rejected as superseded. The order of `items` does not matter.
    """
    to_common = adapter(source.adapter)
    rows: list[dict[str, Any]] = []
    frames = [_frame([])]
    rejects: list[tuple[str, str, str]] = []
    for place, payload in items:
        try:
            row = _UNKNOWN | to_common(_decode(payload))
        except ValueError as error:
            rejects.append((source.name, place, _reason(error)))
            continue
        row["image_key"] = f"{source.name}/{row.pop('native_id')}"
        row["source"] = source.name
        row["digest"] = _digest(payload)
        row["record_place"] = place
        row["order"] = re.sub(r"\d+", lambda digits: digits[0].zfill(20), place)
        rows.append(row)
        if len(rows) == _CHUNK:
            frames.append(_frame(rows))
            rows = []
    everything = pl.concat([*frames, _frame(rows)])
    records, superseded = _latest(everything, source.name)
    rejected = pl.DataFrame(rejects, schema=REJECT_SCHEMA, orient="row")
    return records, pl.concat([rejected, superseded]).sort("place", "reason")


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    # Arrow takes lists of texts as they are; polars would make a series of each.
    table = pa.Table.from_pylist(rows, schema=_ARROW_SCHEMA)
    return pl.DataFrame(table).cast(_SCHEMA)


def _latest(records: pl.DataFrame, source: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The last record of each image, and the others as rejects."""
    ordered = records.sort("image_key", *_ORDER, nulls_last=False)
    is_last = pl.col("image_key").is_last_distinct()
    superseded = ordered.select(
        pl.lit(source).alias("source"),
        pl.col("record_place").alias("place"),
        pl.format("superseded by {}", pl.col("record_place").last().over("image_key")).alias(
            "reason"
        ),
        is_last.alias("is_last"),
    ).filter(~pl.col("is_last"))
    return (
        ordered.filter(is_last).select(RECORDS_SCHEMA.names()),
        superseded.select(REJECT_SCHEMA.names()),
    )


def _decode(payload: Payload) -> dict[str, Any]:
    if isinstance(payload, ValueError):
        raise payload
    if isinstance(payload, dict):
        return payload
    try:
        raw = json.loads(payload)
        if b"\\ud" in payload.lower():
            # JSON can spell half of a surrogate pair, which UTF-8 cannot hold.
            raw = json.loads(json.dumps(raw, ensure_ascii=False).encode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: line {error.lineno} column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"not JSON: byte {error.start} is not {error.encoding}") from error
    except (RecursionError, ValueError) as error:
        raise ValueError("not JSON: nested too deeply, or a number too long") from error
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")
    return raw


def _digest(payload: Payload) -> str:
    """Sets an order among records of one image at one place, whatever order they came in."""
    content = payload if isinstance(payload, bytes) else repr(payload).encode("utf-8", "replace")
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _reason(error: ValueError) -> str:
    """A short reason that is equal for equal faults, without the record's own values."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = _MESSAGES.get(first["type"]) or str(first.get("ctx", {}).get("error", first["msg"]))
    return f"{place}: {message}"
