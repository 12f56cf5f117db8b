"""Checks of the merged metadata: nothing that is known vanished."""

from typing import Any

from dataproc_assets.defs.stage import Check
from dataproc_assets.storage.lake import Lake


def _nothing_vanished(lake: Lake, source: str | None) -> tuple[bool, dict[str, Any]]:
    keys = lake.read("merged", source).select("image_key").collect()
    known = lake.read("todo", source).select("image_key").collect()
    lost = known.join(keys, on="image_key", how="anti")["image_key"].sort()
    unique = keys["image_key"].n_unique() == keys.height
    return lost.is_empty() and unique, {"lost": lost.len(), "examples": lost.head(10).to_list()}


MERGED = (
    Check("nothing_vanished", "Every known key has exactly one row.", _nothing_vanished, True),
)
