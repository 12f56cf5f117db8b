"""Where each known image ends, in one state of the tables."""

from typing import NamedTuple

import polars as pl

from dataproc_assets.defs.release import selected
from dataproc_assets.storage.lake import Lake

IMAGE = "an image of its own"


class Fates(NamedTuple):
    """One state of the tables.

    Attributes:
        keys: one row a known key: image_key, `fate` (the stage and the reason that dropped it,
            `duplicate`, or IMAGE), and `image_key` of its `representative` where it has one.
        recipes: by recipe, one row an image: image_key of the representative, `fate`, the reason
            that dropped it or `kept`, and `said`, which is equal for equal prompts.
        releases: by release, one row an image that it would hold: image_key of the representative.
        pairs: how many near-duplicate pairs there are of each kind.
    """

    keys: pl.DataFrame
    recipes: dict[str, pl.DataFrame]
    releases: dict[str, pl.DataFrame]
    pairs: dict[str, int]


def fates(lake: Lake) -> Fates:
    """The fates in the tables as they are. Raises FileNotFoundError where one was not made."""
    early = [
        lake.read("prefiltered", source).select("image_key", "drop_reason", "intake_drop")
        for source in sorted(lake.project.sources)
    ]
    at = pl.when(pl.col("intake_drop").is_not_null()).then(pl.lit("todo"))
    dropped = pl.concat(early).select(
        "image_key",
        early=pl.concat_str(at.otherwise(pl.lit("prefiltered")), "drop_reason", separator=" "),
    )
    duplicate = pl.when(pl.col("role") == "duplicate").then(pl.lit("duplicate"))
    keys = (
        lake.read("members")
        .join(dropped, on="image_key", how="left")
        .select(
            "image_key",
            "representative",
            fate=pl.coalesce("early", duplicate, pl.lit(IMAGE)),
        )
        .sort("image_key")
        .collect()
    )
    recipes = {recipe: _of_recipe(lake, recipe) for recipe in sorted(lake.project.recipes)}
    pairs = lake.read("dedup_cross").group_by("kind").agg(pl.len()).collect()
    releases = {
        name: selected(lake, config).table.select(image_key="representative").sort("image_key")
        for name, config in sorted(lake.project.releases.items())
    }
    return Fates(keys, recipes, releases, dict(pairs.iter_rows()))


def _of_recipe(lake: Lake, recipe: str) -> pl.DataFrame:
    """An image is kept where one of its prompts is."""
    names = lake.read("images").select("image_id", image_key="representative")
    by_image = (
        lake.read("sanitized", recipe)
        .group_by("image_id")
        .agg(
            pl.col("keep").any(),
            pl.col("drop_reason").drop_nulls().first(),
            said=pl.col("prompt").sort_by("variant").str.join("\n").hash(),
        )
    )
    told = pl.when("keep").then(pl.lit("kept")).otherwise("drop_reason")
    return (
        names.join(by_image, on="image_id")
        .select("image_key", "said", fate=told)
        .sort("image_key")
        .collect()
    )
