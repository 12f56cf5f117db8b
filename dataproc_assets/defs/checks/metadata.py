"""Checks of the merged metadata: nothing that is known vanished."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.defs.table_parts import table_parts
from dataproc_assets.storage.lake import Lake

EXAMPLES = 10


def _nothing_vanished(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    lost, examples, unique = 0, [], True
    with table_parts(lake, {"merged": source, "todo": source}) as parts:
        for part in range(parts.count):
            keys, known = (
                parts.read(table, part).select("image_key").collect()
                for table in ("merged", "todo")
            )
            missing = known.join(keys, on="image_key", how="anti")["image_key"].sort()
            lost += missing.len()
            examples += missing.head(EXAMPLES).to_list()
            # equal keys are in one part
            unique &= keys.select(pl.col("image_key").n_unique()).item() == keys.height
    return lost == 0 and unique, {"lost": lost, "examples": sorted(examples)[:EXAMPLES]}


MERGED = (
    Check("nothing_vanished", "Every known key has exactly one row.", _nothing_vanished, True),
)
