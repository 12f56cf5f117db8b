"""What a recipe's `sanitized` keeps, looked at again as all tables, ledgers and rules now are."""

from dataclasses import dataclass

import polars as pl

from dataproc_assets.defs.flags import flags_state
from dataproc_assets.defs.once import once
from dataproc_assets.defs.verdicts import Part, verdicts
from dataproc_assets.safety.balance import count_values
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.lake import Lake


@dataclass(frozen=True)
class Review:
    """What is found.

    Attributes:
        images: how many images have a prompt that is kept.
        wrong: image_id and `drop_reasons` of those that should have been dropped, sorted.
        poor: image_id of those with a tag that is reported, sorted.
        counts: `count_values` of the images, in parts.
    """

    images: int
    wrong: pl.DataFrame
    poor: pl.Series
    counts: pl.DataFrame


def review(lake: Lake, recipe: str) -> Review:
    """Judge what is kept; the table's own reasons are not believed."""
    tables = [lake.state("sanitized", recipe), lake.state("images", None)]
    state = json_digest([*tables, flags_state(lake)])
    return once(lake, f"review/{recipe}", state, lambda: _review(lake, recipe))


def _review(lake: Lake, recipe: str) -> Review:
    seen = [_look(part) for part in verdicts(lake, recipe, "sanitized")]
    return Review(
        images=sum(part.images for part in seen),
        wrong=pl.concat(part.wrong for part in seen).sort("image_id"),
        poor=pl.concat(part.poor for part in seen).sort(),
        counts=pl.concat(part.counts for part in seen),
    )


def _look(part: Part) -> Review:
    kept = part.images.join(part.rows, on="image_id", how="semi")
    against = part.rows.filter(~pl.col("keep")).select("image_id", "drop_reasons")
    reasons = against.explode("drop_reasons").unique().sort("image_id", "drop_reasons")
    return Review(
        images=part.rows["image_id"].n_unique(),
        wrong=reasons.group_by("image_id", maintain_order=True).agg("drop_reasons"),
        poor=kept.filter(pl.col("flags").list.contains("poor_content"))["image_id"],
        counts=count_values(kept),
    )
