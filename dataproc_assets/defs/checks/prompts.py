"""Checks of a recipe's prompts: they fit the token budget."""

from typing import Any

import polars as pl

from dataproc_assets.defs.stage import Check
from dataproc_assets.storage.lake import Lake

Outcome = tuple[bool, dict[str, Any]]


def _prompts_fit(lake: Lake, recipe: str | None) -> Outcome:
    budget = lake.project.recipes[recipe or ""].token_budget
    rows = lake.read("prompts", recipe)
    over = pl.lit(False) if budget is None else pl.col("tokens") > budget
    empty = pl.col("prompt").str.strip_chars() == ""
    counts = rows.select(over.sum().alias("over"), empty.sum().alias("empty")).collect()
    figures = counts.row(0, named=True)
    return figures["over"] == 0, {"token_budget": str(budget), **figures}


PROMPTS = (Check("prompts_fit", "No prompt is over its recipe's token budget.", _prompts_fit),)
