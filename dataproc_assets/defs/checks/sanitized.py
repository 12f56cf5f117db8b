"""Checks of what may be released: nothing that is unsafe or unwanted was kept."""

from collections.abc import Callable
from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.defs.tables import flags
from dataproc_assets.safety.flags import NEVER_FLAGS
from dataproc_assets.storage.lake import Lake

Outcome = tuple[bool, dict[str, Any]]


def _free_of(names: tuple[str, ...]) -> Callable[[Lake, str | None], Outcome]:
    """A check that no kept image has one of these flags, computed afresh from all records."""

    def run(lake: Lake, recipe: str | None) -> Outcome:
        kept = lake.read("sanitized", recipe).filter("keep").select("image_id").unique()
        standing = lake.read("images").select("image_id", image_key="representative")
        found = pl.col("flags").list.set_intersection(list(names)).list.len() > 0
        rows = kept.join(standing, on="image_id").join(flags(lake), on="image_key").filter(found)
        ids = rows.select("image_id").collect()["image_id"].sort()
        return ids.is_empty(), {"found": ids.len(), "image_ids": ids.head(10).to_list()}

    return run


SANITIZED = (
    Check("safety", "Nothing under a never rule is kept.", _free_of(NEVER_FLAGS), True),
    Check("ai", "Nothing that any source flags as AI-made is kept.", _free_of(("ai",)), True),
    Check(
        "opt_out",
        "Nothing of an artist who opted out or is banned is kept.",
        _free_of(("opt_out", "banned_artist", "banned_status")),
        True,
    ),
    Check(
        "banned_words",
        "Nothing with a banned word or banned content is kept.",
        _free_of(("banned_word", "banned_content")),
        True,
    ),
)
