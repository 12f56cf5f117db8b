"""The ledger for a person: what was asked, what followed, and what was done."""

from typing import Any

import polars as pl

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.takedowns import read_takedowns
from dataproc_assets.takedown.receipts import receipts


def listed(store: ObjectStore) -> list[dict[str, Any]]:
    """What was asked, oldest first: the entry, how many `follow` from it, and `applied`, its last
    receipt, or an empty string."""
    entries = read_takedowns(store)
    follow = dict(entries.filter(pl.col("of") != "").group_by("of").len().iter_rows())
    done = {}
    for receipt in receipts(store):
        what = "purged" if receipt.purged else "applied"
        told = f"{what} {receipt.applied}, receipt {receipt.id}"
        done |= {entry["id"]: told for entry in receipt.entries}
    asked = entries.filter(pl.col("of") == "").drop("of").to_dicts()
    return [
        {**row, "follow": follow.get(row["id"], 0), "applied": done.get(row["id"], "")}
        for row in asked
    ]
