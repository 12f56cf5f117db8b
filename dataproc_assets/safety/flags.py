"""What speaks against each image, gathered over everything known of its duplicate component."""

import polars as pl

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.facts import FACTS, TAG_COLUMNS, of_listed_artist
from dataproc_assets.safety.matching import tag_in
from dataproc_assets.safety.said import in_tags

NEVER_FLAGS = ("never_tag", "child_tag_in_adult")
DROP_FLAGS = (
    *NEVER_FLAGS,
    "opt_out",
    "banned_artist",
    "banned_status",
    "inactive",
    "ai",
    "banned_content",
    "banned_word",
)
REPORT_FLAGS = ("poor_content",)


def component_flags(facts: pl.LazyFrame) -> pl.LazyFrame:
    """The flags of every row: image_key, component, flags List(String) in a fixed order, by key.

    `facts` are those of `row_facts` of all rows, those dropped at intake too, with `component`
    (null where the row is in none: it is then a component of its own). Each row carries the flags
    of its whole component, from whichever of its rows they come.

    Banned on one platform is banned. Otherwise a picture may be used as long as one platform
    shows it: `inactive` says that some row is deleted, pending, flagged or hidden and none is
    active. A row whose status is unknown says neither.
    """
    known = facts.with_columns(component=pl.coalesce("component", "image_key"))
    # few rows have anything against them, so few components are put together
    silent = ("adult", "active")
    accused = known.filter(pl.any_horizontal([fact for fact in FACTS if fact not in silent]))
    of_accused = known.join(accused, on="component", how="semi")
    together = of_accused.group_by("component").agg(pl.col(FACTS).any())
    holds = {flag: pl.col(flag) for flag in (*DROP_FLAGS, *REPORT_FLAGS) if flag in FACTS}
    holds["child_tag_in_adult"] = pl.col("child") & pl.col("adult")
    holds["inactive"] = pl.col("inactive") & ~pl.col("active") & ~pl.col("banned_status")
    flags = pl.concat_list(
        pl.when(holds[flag]).then(pl.lit(flag)) for flag in (*DROP_FLAGS, *REPORT_FLAGS)
    ).list.drop_nulls()
    return (
        known.select("image_key", "component")
        .join(together.select("component", flags=flags), on="component", how="left")
        .with_columns(pl.col("flags").fill_null([]))
        .sort("image_key")
    )


def with_opt_out(rows: pl.LazyFrame, config: SafetyConfig) -> pl.LazyFrame:
    """Add `opt_out` bool: whether the row's own artist or tags ask to be left out."""

    def add(some: pl.DataFrame) -> pl.DataFrame:
        by_tag = in_tags(some, TAG_COLUMNS, {"opt_out": (config.opt_out.tags, tag_in)})
        return some.with_columns(opt_out=of_listed_artist(some, config) | by_tag["opt_out"])

    schema = rows.collect_schema()
    return rows.map_batches(add, schema=pl.Schema({**schema, "opt_out": pl.Boolean()}))


def quarantined(flags: pl.LazyFrame) -> pl.LazyFrame:
    """image_key of every row of a component that a never rule holds for, sorted.

    No picture and no text of these may be written anywhere.
    """
    held = pl.col("flags").list.set_intersection(list(NEVER_FLAGS)).list.len() > 0
    return flags.filter(held).select("image_key").sort("image_key")
