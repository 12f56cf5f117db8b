"""Prompts: what each image says, in the order and within the budget of a recipe."""

from typing import Any

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import prompts as checks
from dataproc_assets.defs.result import frame_metadata, table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.defs.table_parts import table_parts
from dataproc_assets.models.tokenizer import TokenCounts
from dataproc_assets.storage.lake import Lake
from dataproc_assets.transforms.cuts import CUT_COUNTS, add_cuts, cut_counts, cuts_by_group
from dataproc_assets.transforms.prompts import READ
from dataproc_assets.transforms.prompts import prompts as make_prompts

KEY = ["image_id", "variant"]
EXAMPLES = 5
MOST_CUT = 50  # tags that are named
TOKENS_A_LINE = 10


class Report:
    """What a person is shown of prompts, gathered part by part."""

    def __init__(self) -> None:
        self.over = 0
        self._examples: list[str] = []
        self._cuts = CUT_COUNTS.to_frame()
        self._tokens = pl.DataFrame(schema=pl.Schema({"tokens": pl.Int32, "prompts": pl.UInt32}))

    def add(self, prompts: pl.DataFrame) -> None:
        """Look at a part."""
        left = EXAMPLES - len(self._examples)
        first = prompts.filter(pl.col("prompt") != "", pl.col("variant") == 0)
        self._examples += first["prompt"].head(left).to_list()
        self.over += prompts.select((pl.col("cut").list.len() > 0).sum()).item()
        self._cuts = add_cuts([self._cuts, cut_counts(prompts)])
        step = (pl.col("tokens") // TOKENS_A_LINE * TOKENS_A_LINE).alias("tokens")
        tokens = prompts.group_by(step).agg(prompts=pl.len().cast(pl.UInt32))
        every = pl.concat([self._tokens, tokens]).group_by("tokens").agg(pl.col("prompts").sum())
        self._tokens = every.sort("tokens")

    def metadata(self) -> dict[str, Any]:
        """Examples, what the budget cut by group and by tag, and a histogram of tokens."""
        named = self._cuts.head(MOST_CUT).with_columns(pl.col("prompts").cast(pl.Int64))
        return {
            "examples": frame_metadata(pl.DataFrame({"prompt": self._examples})),
            "prompts_over_budget": self.over,
            "cut_by_group": frame_metadata(cuts_by_group(self._cuts)),
            "cut_most": frame_metadata(named),
            "tokens_from": frame_metadata(self._tokens.drop_nulls()),
        }


def prompts(context: dg.AssetExecutionContext, lake: Lake, recipe: str) -> dg.MaterializeResult:
    """Write a recipe's prompts."""
    inputs, config = lake.inputs("prompts", recipe), lake.project.recipes[recipe]
    as_of, count = lake.project.curation.as_of, TokenCounts()
    report = Report()
    with table_parts(lake, {"images": None}) as parts:

        def make(part: int) -> pl.DataFrame:
            rows = parts.read("images", part).select(READ).collect()
            return make_prompts(rows, config, count, as_of)

        info = parts.write("prompts", recipe, inputs, make, report.add, KEY)
    context.log.info(f"{recipe}: {info.rows} prompts, {report.over} of them cut by the budget")
    return table_result(lake, "prompts", recipe, info, report.metadata())


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this module."""
    return [stage_asset(lake, prompts, checks=checks.PROMPTS, automatic=True)]
