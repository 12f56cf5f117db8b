"""What is to be said of a recipe's prompts as all tables now are, some images at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from dataproc_assets.defs.flags import flags
from dataproc_assets.defs.table_parts import AHEAD, table_parts
from dataproc_assets.safety.verdict import VERDICT_COLUMNS, verdict
from dataproc_assets.storage.ahead import ahead
from dataproc_assets.storage.key_parts import split
from dataproc_assets.storage.lake import Lake


@dataclass(frozen=True)
class Part:
    """Part `number` of `count`: whole buckets of the tables that are keyed by image.

    Attributes:
        rows: prompts of these images with their verdict.
        images: the images themselves, with `flags` (null where nothing is known of one).
    """

    number: int
    count: int
    rows: pl.DataFrame
    images: pl.DataFrame


def verdicts(lake: Lake, recipe: str, table: str = "prompts") -> Iterator[Part]:
    """The rows of `prompts`, or those that `sanitized` says to keep, judged afresh."""
    with table_parts(lake, {"images": None, table: recipe}) as parts:
        every = range(parts.count)
        names = [parts.read("images", part).select("image_id", "representative") for part in every]
        against = flags(lake).select("flags", representative="image_key")
        known = pl.concat(names).join(against, on="representative", how="inner").collect()
        by_part = split(known, "image_id", parts.count)

        def judge(part: int) -> Part:
            own, rows = parts.read("images", part).collect(), parts.read(table, part)
            asked = rows.filter("keep") if table == "sanitized" else rows
            asked = asked.drop(VERDICT_COLUMNS, strict=False).collect()
            of_keys = by_part[part].select("flags", image_key="representative").unique("image_key")
            judged = verdict(asked, own, of_keys, lake.project.safety)
            of_ids = by_part[part].select("image_id", "flags")
            flagged = own.join(of_ids, on="image_id", how="left")
            return Part(part, parts.count, judged, flagged)

        yield from ahead(judge, every, AHEAD)
