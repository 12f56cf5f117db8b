"""Checks of what may be released: nothing unsafe or unwanted was kept, and how it is balanced.

They name images by their id alone.
"""

from collections.abc import Callable
from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.defs.review import review
from dataproc_assets.defs.stage import Check
from dataproc_assets.safety.balance import largest_shares
from dataproc_assets.safety.flags import NEVER_FLAGS
from dataproc_assets.storage.lake import Lake

Outcome = tuple[bool, dict[str, Any]]
SHOWN = 10


def _free_of(*reasons: str) -> Callable[[Lake, str | None], Outcome]:
    """A check that nothing that is kept would now be dropped for one of these reasons."""

    def run(lake: Lake, recipe: str | None) -> Outcome:
        found = pl.col("drop_reasons").list.set_intersection(list(reasons)).list.len() > 0
        ids = review(lake, recipe or "").wrong.filter(found)["image_id"]
        return ids.is_empty(), {"found": ids.len(), "image_ids": ids.head(SHOWN).to_list()}

    return run


def _poor_content(lake: Lake, recipe: str | None) -> Outcome:
    seen, config = review(lake, recipe or ""), lake.project.safety.balance
    share = seen.poor.len() / seen.images if seen.images else 0.0
    passed = seen.images < config.images_min or share <= config.share_max.poor_content
    ids = seen.poor.head(SHOWN).to_list()
    return passed, {
        "images": seen.images,
        "found": seen.poor.len(),
        "share": share,
        "image_ids": ids,
    }


def _balance(lake: Lake, recipe: str | None) -> Outcome:
    seen, config = review(lake, recipe or ""), lake.project.safety.balance
    largest = largest_shares(seen.counts, seen.images, config)
    columns = [dg.TableColumn(n, k) for n, k in zip(largest.columns, _KINDS, strict=True)]
    records = [dg.TableRecord(row) for row in largest.to_dicts()]
    passed = seen.images < config.images_min or not largest["over"].any()
    return passed, {
        "images": seen.images,
        "over": largest["over"].sum(),
        "largest": dg.MetadataValue.table(records, schema=dg.TableSchema(columns)),
    }


_KINDS = ("string", "string", "int", "float", "bool")
SANITIZED = (
    Check(
        "safety",
        "Nothing is kept that a never rule holds for, or of which nothing is known.",
        _free_of(*NEVER_FLAGS, "unchecked"),
        True,
    ),
    Check("ai", "Nothing that any source flags as AI-made is kept.", _free_of("ai"), True),
    Check(
        "opt_out",
        "Nothing of an artist who opted out or is banned is kept.",
        _free_of("opt_out", "banned_artist"),
        True,
    ),
    Check(
        "status",
        "Nothing that is banned on a platform, or active on none, is kept.",
        _free_of("banned_status", "inactive"),
        True,
    ),
    Check(
        "banned_words",
        "Nothing with a banned word or banned content is kept.",
        _free_of("banned_word", "banned_content"),
        True,
    ),
    Check(
        "poor_content",
        "Few of the kept images have a tag that is reported, such as watermark.",
        _poor_content,
    ),
    Check(
        "balance",
        "No rating, source, artist or character has too large a share of the kept images.",
        _balance,
    ),
)
