"""The funnel of a release: which rows go in, and how many each step takes away."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import polars as pl
import polars_hash as plh

from dataproc_assets.config.releases import Caps, ReleaseConfig, Select
from dataproc_assets.transforms.buckets import with_buckets

FAMILIES = pl.Schema({"image_id": pl.String, "family": pl.String})


@dataclass(frozen=True)
class Step:
    """One step of the funnel and its counts of rows."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Selection:
    """The rows of a release, sorted by image_id, and the funnel they came through."""

    table: pl.DataFrame
    funnel: list[Step]


def train_table(
    images: pl.DataFrame,
    sanitized: Mapping[str, pl.DataFrame],
    config: ReleaseConfig,
    families: pl.DataFrame | None = None,
) -> Selection:
    """The rows and columns of a release's tables.

    An image goes in when every recipe of the release keeps it and gives it a prompt, every
    condition of `select` holds, and no cap is full. Added columns: `prompts__{recipe}`
    List(String), one for each variant; `split`; with latents, `bucket_width` and `bucket_height`
    by the release's own buckets.

    Args:
        images: the stage table `images`, with the representative's columns of `select.scores`.
        sanitized: the stage table `sanitized` of each recipe.
        families: image_id and `family`: images of one family are in one split. An image that is
            not there is a family of its own.

    Raises KeyError where a recipe's table is missing.
    """
    funnel: list[Step] = []
    table = images
    for recipe in config.recipes:
        rows = table.height
        table = table.join(_prompts(sanitized[recipe], recipe), on="image_id", how="inner")
        funnel.append(Step(f"kept by recipe {recipe}", rows, table.height))
    for name, condition in _conditions(config.select).items():
        rows = table.height
        table = table.filter(condition)
        funnel.append(Step(name, rows, table.height))
    for name, group in _cap_groups(config.caps).items():
        rows = table.height
        table = _capped(table, group, getattr(config.caps, name), f"{config.seed}:{name}:")
        funnel.append(Step(f"cap of {name}", rows, table.height))
    if config.latents:
        table = with_buckets(table.lazy(), config.latents.buckets).collect()
    return Selection(with_split(table, config, families).sort("image_id"), funnel)


def with_split(
    table: pl.DataFrame, config: ReleaseConfig, families: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Add `split`, drawn by the hash of the family: what else is in the table plays no part."""
    known = families if families is not None else FAMILIES.to_frame()
    named = table.join(known.select(FAMILIES.names()), on="image_id", how="left", validate="1:1")
    family = pl.coalesce("family", "image_id")
    salt = pl.lit(f"{config.seed}:split:")
    draw = plh.concat_str(salt, family).nchash.xxh3_64().cast(pl.Float64) / 2.0**64
    ends = list(accumulate(config.splits.values()))[:-1]
    place = pl.sum_horizontal(pl.lit(0), *((draw >= end).cast(pl.Int32) for end in ends))
    names = place.replace_strict(dict(enumerate(config.splits)), return_dtype=pl.String)
    return named.with_columns(split=names).drop("family")


def source() -> pl.Expr:
    """The source of a row's representative: the first part of its key."""
    return pl.col("representative").str.split("/").list.first()


def _prompts(sanitized: pl.DataFrame, recipe: str) -> pl.DataFrame:
    """One row an image: its prompts by variant, where all are kept and say something."""
    says = pl.col("prompt").str.strip_chars() != ""
    return (
        sanitized.sort("image_id", "variant")
        .group_by("image_id", maintain_order=True)
        .agg(
            pl.col("prompt").alias(f"prompts__{recipe}"),
            kept=(pl.col("keep") & says).fill_null(False).all(),
        )
        .filter("kept")
        .drop("kept")
    )


def _conditions(select: Select) -> dict[str, pl.Expr]:
    """The conditions that are asked, by the name of their step."""
    conditions = {f"rating in {', '.join(select.ratings)}": pl.col("rating").is_in(select.ratings)}
    if select.tiers is not None:
        named = ", ".join(tier or "none" for tier in select.tiers)
        conditions[f"tier in {named}"] = pl.col("tier").is_in(select.tiers, nulls_equal=True)
    if select.sources is not None:
        conditions[f"source in {', '.join(select.sources)}"] = source().is_in(select.sources)
    if select.pixels_min is not None:
        conditions[f"pixels >= {select.pixels_min}"] = pl.col("pixels") >= select.pixels_min
    if select.side_min is not None:
        shorter = pl.min_horizontal("width", "height")
        conditions[f"shorter side >= {select.side_min}"] = shorter >= select.side_min
    if select.aspect_max is not None:
        longer, shorter = pl.max_horizontal("width", "height"), pl.min_horizontal("width", "height")
        conditions[f"aspect <= {select.aspect_max}"] = longer / shorter <= select.aspect_max
    if select.year_min is not None:
        conditions[f"year >= {select.year_min}"] = pl.col("year") >= select.year_min
    if select.year_max is not None:
        conditions[f"year <= {select.year_max}"] = pl.col("year") <= select.year_max
    for name, bounds in select.scores.items():
        # a bare number takes the column's type: as Float64, a Float32 score of 0.8 is more than 0.8
        value = pl.col(name).fill_nan(None)
        if bounds.at_least is not None:
            conditions[f"{name} >= {bounds.at_least:g}"] = value >= bounds.at_least
        if bounds.at_most is not None:
            conditions[f"{name} <= {bounds.at_most:g}"] = value <= bounds.at_most
    return conditions


def _cap_groups(caps: Caps) -> dict[str, pl.Expr]:
    """The groups of an image, List(String), for each cap that is set; the finest first."""
    characters = (
        pl.element()
        .struct.field("tag")
        .filter(pl.element().struct.field("category") == "character")
    )
    groups = {
        "artist": pl.concat_list("artist").list.drop_nulls(),
        "character": pl.col("tags").list.eval(characters).list.unique(),
        "source": pl.concat_list(source()),
    }
    return {name: group for name, group in groups.items() if getattr(caps, name) is not None}


def _capped(table: pl.DataFrame, group: pl.Expr, cap: int, salt: str) -> pl.DataFrame:
    """The rows that are taken one by one in the order of a hash, while no group of theirs is full.

    A row without a group is in no cap. The order depends on the ids alone, not on that of the rows.
    """
    draw = plh.concat_str(pl.lit(salt), "image_id").nchash.xxh3_64()
    wanted = table.select("image_id", draw=draw, group=group).explode("group").drop_nulls("group")
    crowded = wanted.filter(pl.len().over("group") > cap)
    by_image = crowded.group_by("draw", "image_id").agg("group").sort("draw", "image_id")
    taken: Counter[str] = Counter()
    left = []
    for image, groups in by_image.select("image_id", "group").iter_rows():
        if any(taken[name] >= cap for name in groups):
            left.append(image)
        else:
            taken.update(groups)
    return table.filter(~pl.col("image_id").is_in(left))
