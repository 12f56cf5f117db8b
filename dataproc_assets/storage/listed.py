"""The rows of a listing: what a store says of its objects, whoever asked it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    from obstore import ObjectMeta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LISTING_SCHEMA = pl.Schema(
    {
        "path": pl.String,
        "size": pl.Int64,
        "modified": pl.Datetime("us", "UTC"),
        "version": pl.String,
    }
)
NO_PATH = pl.col("path").str.contains(r"(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f]")
"""Whether a key is no path: with an empty part, `.`, `..` or a control character in it."""


class OddKeyError(ConnectionError):
    """A folder cannot be listed as paths, for a key in it that is none."""


def listed_rows(objects: Any, *, tagged: bool) -> pl.DataFrame:
    """Objects as obstore gives them in Arrow, in LISTING_SCHEMA.

    `version` is the ETag where they are tagged, else size and modification time (us).
    """
    tag = pl.col("e_tag").str.strip_chars('"')
    stamp = pl.format("{}-{}", "size", pl.col("last_modified").dt.epoch("us"))
    return cast(pl.DataFrame, pl.from_arrow(pa.table(objects))).select(
        "path",
        pl.col("size").cast(pl.Int64),
        modified=pl.col("last_modified").cast(LISTING_SCHEMA["modified"]),
        version=tag if tagged else stamp,
    )


def listed_version(meta: "ObjectMeta", *, tagged: bool) -> str:
    """The `version` of one object, which `listed_rows` gives it too."""
    if tagged:
        return (meta["e_tag"] or "").strip('"')
    return f"{meta['size']}-{(meta['last_modified'] - EPOCH) // timedelta(microseconds=1)}"


def sorted_listing(pages: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The pages of a listing as one, sorted, one row a path.

    S3 consoles mark a folder by an empty object `name/`, which has the path of an object `name`:
    of two objects of one path the larger counts.
    """
    listing = pl.concat([LISTING_SCHEMA.to_frame(), *pages])
    ordered = listing.sort("path", "size", descending=[False, True])
    return ordered.unique("path", keep="first", maintain_order=True)
