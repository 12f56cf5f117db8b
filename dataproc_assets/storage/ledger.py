"""The append-only ledgers: identity, quarantine, takedown."""

import polars as pl

from dataproc_assets.storage.digest import frame_digest
from dataproc_assets.storage.layout import ledger_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import from_parquet, to_parquet

LEDGER_SCHEMAS = {
    "identity": pl.Schema({"founding_key": pl.String, "image_id": pl.String, "release": pl.String}),
    "quarantine": pl.Schema({"image_key": pl.String, "rule": pl.String}),
    "takedown": pl.Schema(
        {"kind": pl.String, "value": pl.String, "date": pl.String, "reason": pl.String}
    ),
}


def read_ledger(store: ObjectStore, ledger: str) -> pl.DataFrame:
    """All entries of a ledger, oldest first, each once."""
    schema = LEDGER_SCHEMAS[ledger]
    entries = [from_parquet(store.get(path)) for path in _files(store, ledger)]
    return pl.concat([schema.to_frame(), *entries]).unique(keep="first", maintain_order=True)


def append_ledger(store: ObjectStore, ledger: str, entries: pl.DataFrame) -> int:
    """Append the entries that the ledger lacks and return how many there were.

    An append is one new file, named by its place in the order and its rows' digest: a repeated or
    interrupted append adds nothing twice, and one of two writers never loses its rows.
    """
    schema = LEDGER_SCHEMAS[ledger]
    rows = entries.select(schema.names()).cast(schema).unique().sort(schema.names())
    new = rows.join(read_ledger(store, ledger), on=schema.names(), how="anti", nulls_equal=True)
    new = new.sort(schema.names())
    if new.height:
        number, digest = len(_files(store, ledger)), frame_digest(new)[:32]
        store.put_new(f"{ledger_path(ledger)}/{number:06d}-{digest}.parquet", to_parquet(new))
    return new.height


def _files(store: ObjectStore, ledger: str) -> list[str]:
    paths = store.list(ledger_path(ledger))["path"]
    return sorted(path for path in paths if path.endswith(".parquet"))
