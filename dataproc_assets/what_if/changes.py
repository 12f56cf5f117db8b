"""Two fates of the same images side by side: the counts, and who changes from what to what."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from dataproc_assets.what_if.fates import Fates

GONE = "not known"
HELD = "held"


@dataclass(frozen=True)
class Changes:
    """What differs.

    Attributes:
        counts: where, fate, now, then: rows by fate, of all keys (`where` is empty), of the images
            of each recipe and release, by its name, and of the `pairs` that the search found.
        moves: where, fate, fate_then, rows, keys (all that move so, sorted), the largest first.
            Images that a recipe or a release has only now, or no more, are those that move as
            keys or in a recipe, and are told there; but for what a release's own setting changes.
        prompts: by recipe, the images whose prompts are others, of those that are there in both.
    """

    counts: pl.DataFrame
    moves: pl.DataFrame
    prompts: dict[str, int]

    def to_json(self, shown: int) -> dict[str, Any]:
        """As values that JSON has, with at most so many keys of a move."""
        moves = self.moves.with_columns(pl.col("keys").list.head(shown)).to_dicts()
        return {"counts": self.counts.to_dicts(), "moves": moves, "prompts": self.prompts}


def changes(now: Fates, then: Fates) -> Changes:
    """What becomes of each key, and of each recipe's images, where it is another fate."""
    pairs = [_both("", now.keys, then.keys)]
    for recipe in now.recipes:
        pairs.append(_both(recipe, now.recipes[recipe], then.recipes[recipe]))
    for name in now.releases:
        sides = (side.releases[name].with_columns(fate=pl.lit(HELD)) for side in (now, then))
        pairs.append(_both(f"release {name}", *sides))
    both = pl.concat(pairs)
    was = both.group_by("where", "fate").agg(now=pl.len())
    will = both.group_by("where", fate="fate_then").agg(then=pl.len())
    counts = (
        was.join(will, on=["where", "fate"], how="full", coalesce=True)
        .filter(pl.col("fate") != GONE)
        .with_columns(pl.col("now", "then").fill_null(0).cast(pl.Int64))
        .select("where", "fate", "now", "then")
        .vstack(_pairs(now.pairs, then.pairs))
        .sort("where", "fate")
    )
    differs = both.filter(pl.col("fate") != pl.col("fate_then"))
    told_once = (pl.col("where") == "") | ((pl.col("fate") != GONE) & (pl.col("fate_then") != GONE))
    told = differs.filter(told_once)
    only = differs.filter(pl.col("where").str.starts_with("release ")).join(
        told.select("image_key"), on="image_key", how="anti"
    )
    moves = (
        pl.concat([told, only])
        .group_by("where", "fate", "fate_then")
        .agg(rows=pl.len(), keys=pl.col("image_key").sort())
        .sort(["where", "rows", "fate", "fate_then"], descending=[False, True, False, False])
    )
    prompts = {
        recipe: now.recipes[recipe]
        .join(then.recipes[recipe], on="image_key", suffix="_then")
        .filter(pl.col("said").ne_missing(pl.col("said_then")))
        .height
        for recipe in now.recipes
    }
    return Changes(counts, moves, {recipe: count for recipe, count in prompts.items() if count})


def _both(where: str, now: pl.DataFrame, then: pl.DataFrame) -> pl.DataFrame:
    told = ["image_key", "fate"]
    joined = now.select(told).join(
        then.select(told), on="image_key", how="full", coalesce=True, suffix="_then"
    )
    return joined.with_columns(pl.col("fate", "fate_then").fill_null(GONE), where=pl.lit(where))


def _pairs(now: dict[str, int], then: dict[str, int]) -> pl.DataFrame:
    rows = [("pairs", kind, now.get(kind, 0), then.get(kind, 0)) for kind in {**now, **then}]
    schema = {"where": pl.String, "fate": pl.String, "now": pl.Int64, "then": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
