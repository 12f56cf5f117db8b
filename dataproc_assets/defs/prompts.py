"""Prompts: what each image says, in the order and within the budget of a recipe."""

import dagster as dg
import polars as pl

from dataproc_assets.defs.checks import prompts as checks
from dataproc_assets.defs.result import table_result
from dataproc_assets.defs.stage import stage_asset
from dataproc_assets.models.tokenizer import count_tokens
from dataproc_assets.storage.lake import Lake
from dataproc_assets.transforms.prompts import prompts as make_prompts
from dataproc_assets.transforms.units import texts_to_count


def prompts(context: dg.AssetExecutionContext, lake: Lake, recipe: str) -> dg.MaterializeResult:
    """Write a recipe's prompts."""
    inputs, config = lake.inputs("prompts", recipe), lake.project.recipes[recipe]
    table = lake.read("images")
    texts = texts_to_count(table, config).collect()["text"].to_list()
    counts = pl.LazyFrame(
        {"text": texts, "tokens": count_tokens(texts)},
        schema={"text": pl.String, "tokens": pl.Int32},
    )
    rows = make_prompts(table, config, counts)
    info = lake.write("prompts", recipe, rows, key=["image_id", "variant"], inputs=inputs)
    cut = pl.col("cut").list.len()
    shown = lake.read("prompts", recipe).select(
        pl.col("prompt").head(5).implode(), (cut > 0).sum().alias("cut")
    )
    examples, over = shown.collect().row(0)
    metadata = {"examples": "\n\n".join(examples), "prompts_over_budget": over}
    return table_result(lake, "prompts", recipe, info, metadata)


def assets(lake: Lake) -> list[dg.AssetsDefinition]:
    """The assets of this module."""
    return [stage_asset(lake, prompts, checks=checks.PROMPTS, automatic=True)]
