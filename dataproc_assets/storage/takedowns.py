"""The takedown ledger as it is used: every entry with the id that receipts and prints name."""

import polars as pl

from dataproc_assets.storage.digest import frame_digest, json_digest
from dataproc_assets.storage.ledger import LEDGER_SCHEMAS, append_ledger, read_ledger
from dataproc_assets.storage.objects import ObjectStore

ID_LETTERS = 12


def read_takedowns(store: ObjectStore) -> pl.DataFrame:
    """All entries, oldest first, with `id`: one of equal content has one id, whoever adds it."""
    return with_ids(read_ledger(store, "takedown"))


def with_ids(entries: pl.DataFrame) -> pl.DataFrame:
    """Entries of the ledger's columns with their `id` before them."""
    names = list(LEDGER_SCHEMAS["takedown"])
    ids = [json_digest(list(row))[:ID_LETTERS] for row in entries.select(names).iter_rows()]
    return entries.select(pl.Series("id", ids, pl.String), *names)


def add_takedowns(store: ObjectStore, entries: pl.DataFrame) -> int:
    """Append what the ledger lacks: an entry that follows from another is there but once.

    Returns how many were appended.
    """
    known = read_ledger(store, "takedown")
    asked = entries.filter(pl.col("of") == "")
    same = ["kind", "value", "scope"]
    follow = entries.filter(pl.col("of") != "").unique(same, maintain_order=True)
    follow = follow.join(known, on=same, how="anti", maintain_order="left")
    return append_ledger(store, "takedown", pl.concat([asked, follow]))


def takedown_state(store: ObjectStore) -> dict[str, str]:
    """The digests of the ledgers of takedowns and of prints, where they have an entry."""
    found = {name: read_ledger(store, name) for name in ("takedown", "print")}
    return {name: frame_digest(rows) for name, rows in found.items() if rows.height}
