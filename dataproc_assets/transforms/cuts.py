"""What the token budget cost: the units that it cut from prompts, counted."""

from collections.abc import Sequence

import polars as pl

CUT_COUNTS = pl.Schema({"group": pl.String, "tag": pl.String, "prompts": pl.UInt32})


def cut_counts(prompts: pl.DataFrame) -> pl.DataFrame:
    """How many prompts lost each unit: CUT_COUNTS, without order. `prompts` is PROMPT_SCHEMA."""
    units = prompts.select(pl.col("cut").explode(empty_as_null=False, keep_nulls=False))
    return units.unnest("cut").group_by("group", "tag").agg(prompts=pl.len().cast(pl.UInt32))


def add_cuts(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The counts of several parts as one, most prompts first."""
    every = pl.concat([CUT_COUNTS.to_frame(), *parts])
    return _ordered(every.group_by("group", "tag").agg(pl.col("prompts").sum()), "tag")


def cuts_by_group(cuts: pl.DataFrame) -> pl.DataFrame:
    """Units cut of each group: `group`, `tags` (different ones), `units`; most units first."""
    groups = cuts.group_by("group").agg(tags=pl.len(), prompts=pl.col("prompts").sum())
    return _ordered(groups, "group").rename({"prompts": "units"})


def _ordered(cuts: pl.DataFrame, name: str) -> pl.DataFrame:
    return cuts.sort(pl.col("prompts"), name, descending=[True, False])
