"""Two published releases side by side: who came, who went, other prompts, the balance."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from dataproc_assets.config.settings import Leaf, changed
from dataproc_assets.release.manifest import Manifest
from dataproc_assets.release.rows import read_tables
from dataproc_assets.storage.objects import ObjectStore

PARTS = ("tags", "rating", "tier", "tier_percentile", "year", "artist", "caption", "created")
"""The columns of a release's tables that a prompt is made of."""
BALANCE = ("split", "rating", "tier", "year", "source")


@dataclass(frozen=True)
class Difference:
    """Release `one` against release `other`, `one` being the older state.

    Attributes:
        settings: paths below `config` (of the release) and `settings`, with both values.
        added, removed: image_id and representative, by image_id.
        changed: image_id, representative and `parts`, the columns that differ, of the images whose
            prompts or place are not the same; empty where the recipe alone makes the difference.
        balance: field, value, one, other: images by value, where their shares differ.
    """

    one: Manifest
    other: Manifest
    settings: list[tuple[Leaf, Any, Any]]
    added: pl.DataFrame
    removed: pl.DataFrame
    changed: pl.DataFrame
    balance: pl.DataFrame


def compare(store: ObjectStore, one: Manifest, other: Manifest) -> Difference:
    """Compare the tables and the settings of two releases."""
    first, second = read_tables(store, one), read_tables(store, other)
    names = ["image_id", "representative"]
    both = changed(
        {"config": one.config, "settings": one.settings},
        {"config": other.config, "settings": other.settings},
    )
    told = [item for item in both if item[0] not in {("config", "name"), ("config", "title")}]
    return Difference(
        one,
        other,
        told,
        second.join(first, on="image_id", how="anti").select(names).sort("image_id"),
        first.join(second, on="image_id", how="anti").select(names).sort("image_id"),
        _changed(first, second),
        _balance(first, second),
    )


def _changed(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    shared = [name for name in first.columns if name in second.columns]
    prompts = [name for name in shared if name.startswith("prompts__")]
    parts = [name for name in PARTS if name in shared]
    both = first.join(second.select("image_id", *prompts, *parts), on="image_id", suffix="__other")
    differs = {name: pl.col(name).ne_missing(pl.col(f"{name}__other")) for name in prompts + parts}
    named = pl.concat_list(
        pl.when(differs[name]).then(pl.lit(name)) for name in parts
    ).list.drop_nulls()
    recipes = pl.concat_list(
        pl.when(differs[name]).then(pl.lit(name.removeprefix("prompts__"))) for name in prompts
    ).list.drop_nulls()
    return (
        both.with_columns(recipes=recipes, parts=named)
        .filter(pl.col("recipes").list.len() > 0)
        .select("image_id", "representative", "recipes", "parts")
        .sort("image_id")
    )


def _balance(first: pl.DataFrame, second: pl.DataFrame) -> pl.DataFrame:
    """The values whose share of the images is not the same, the widest apart first."""
    tables = []
    for field in BALANCE:
        value = pl.col("representative").str.split("/").list.first() if field == "source" else field
        counts = [
            table.group_by(
                value=(pl.col(value) if isinstance(value, str) else value).cast(pl.String)
            ).agg(pl.len().cast(pl.Int64))
            for table in (first, second)
        ]
        joined = counts[0].join(
            counts[1], on="value", how="full", coalesce=True, nulls_equal=True, suffix="_other"
        )
        tables.append(joined.select(pl.lit(field).alias("field"), "value", "len", "len_other"))
    rows = pl.concat(tables).rename({"len": "one", "len_other": "other"})
    rows = rows.with_columns(pl.col("one", "other").fill_null(0))
    shift = pl.col("other") / max(second.height, 1) - pl.col("one") / max(first.height, 1)
    moved = rows.with_columns(shift=shift).filter(pl.col("shift").abs() > 1e-9)
    return moved.sort([pl.col("shift").abs(), "field", "value"], descending=[True, False, False])
