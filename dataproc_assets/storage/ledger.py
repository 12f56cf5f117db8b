"""The append-only ledgers: identity, quarantine, takedowns, and prints of what was taken down."""

import polars as pl

from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.layout import ledger_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet

LEDGER_SCHEMAS = {
    "identity": pl.Schema({"founding_key": pl.String, "image_id": pl.String, "release": pl.String}),
    "quarantine": pl.Schema({"image_key": pl.String, "rule": pl.String}),
    "takedown": pl.Schema(
        {
            "kind": pl.String,  # key, post, url, artist or hash
            "value": pl.String,
            "date": pl.String,
            "reason": pl.String,
            "scope": pl.String,  # picture: copies go too; post: they may stay
            "of": pl.String,  # the id of the entry that this one follows from; empty where asked
        }
    ),
    "print": pl.Schema(
        {
            "of": pl.String,  # the id of the entry by which the picture was taken down
            "sha256": pl.String,
            "md5": pl.String,
            "phash": pl.UInt64,
            "detail": pl.Binary,  # its thumbnail, as `planes` reads it
            "vector": pl.Binary,  # its quantised embedding, int16
            "model": pl.String,  # the fingerprint of what the embedding was made with
        }
    ),
}
BEFORE = {"scope": "picture", "of": ""}
"""What a column means in entries that are older than it."""


def read_ledger(store: ObjectStore, ledger: str) -> pl.DataFrame:
    """All entries of a ledger, oldest first, each once."""
    schema = LEDGER_SCHEMAS[ledger]
    entries = [_filled(from_parquet(store.get(path)), schema) for path in _files(store, ledger)]
    return pl.concat([schema.to_frame(), *entries]).unique(keep="first", maintain_order=True)


def append_ledger(store: ObjectStore, ledger: str, entries: pl.DataFrame) -> int:
    """Append the entries that the ledger lacks and return how many there were.

    An append is one new file, named by its place in the order and its rows' digest: a repeated or
    interrupted append adds nothing twice, and one of two writers never loses its rows.
    """
    schema = LEDGER_SCHEMAS[ledger]
    rows = _filled(entries, schema).cast(schema).unique().sort(schema.names())
    new = rows.join(read_ledger(store, ledger), on=schema.names(), how="anti", nulls_equal=True)
    new = new.sort(schema.names())
    if new.height:
        number, digest = len(_files(store, ledger)), frame_digest(new)[:32]
        store.put_new(f"{ledger_path(ledger)}/{number:06d}-{digest}.parquet", to_parquet(new))
    return new.height


def _files(store: ObjectStore, ledger: str) -> list[str]:
    paths = store.list(ledger_path(ledger))["path"]
    return sorted(path for path in paths if path.endswith(".parquet"))


def _filled(entries: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    lacking = [name for name in schema if name in BEFORE and name not in entries.columns]
    return entries.with_columns(pl.lit(BEFORE[name]).alias(name) for name in lacking).select(
        schema.names()
    )
