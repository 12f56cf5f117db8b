"""Which prompts may be released: the flags of the image and the words of the prompt itself."""

import polars as pl

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.flags import DROP_FLAGS
from dataproc_assets.safety.never import (
    ADULT_RATINGS,
    CHILDREN,
    SEXUALISED_MINORS,
    tag_in,
    text_has,
)


def verdict(
    prompts: pl.LazyFrame, images: pl.LazyFrame, flags: pl.LazyFrame, config: SafetyConfig
) -> pl.LazyFrame:
    """Add `keep` bool, `drop_reason` str|null (the first) and `drop_reasons` list[str] to prompts.

    Args:
        prompts: image_id, variant, prompt, caption, groups and whatever else; every row stays.
        images: image_id, representative, rating, opt_out, ai.
        flags: of `safety_flags`; a representative without a row there is dropped as unchecked.
        config: words to look for, beside the constants of `never`.

    An image is dropped for each flag of its component, and a prompt also for what its own words
    say, since tags may be merged in from elsewhere and captions are written late.
    """
    flagged = flags.select(pl.col("image_key").alias("representative"), "flags")
    facts = images.select("image_id", "representative", "rating", "opt_out", "ai").join(
        flagged, on="representative", how="left"
    )
    joined = prompts.join(
        facts.select(
            "image_id",
            pl.col("rating").alias("_rating"),
            pl.col("opt_out").alias("_opt_out"),
            pl.col("ai").alias("_ai"),
            pl.col("flags").alias("_flags"),
        ),
        on="image_id",
        how="left",
        maintain_order="left",
    ).join(
        _tag_facts(prompts, config), on=["image_id", "variant"], how="left", maintain_order="left"
    )
    minor = _says("caption", _minors(config)) | pl.col("_minor").fill_null(False)
    child = _says("caption", _children(config)) | pl.col("_child").fill_null(False)
    adult = pl.col("_rating").is_in(ADULT_RATINGS).fill_null(False)
    own = {
        "never_tag": minor,
        "child_tag_in_adult": child & adult,
        "opt_out": pl.col("_opt_out").fill_null(False),
        "ai": (pl.col("_ai") == "yes").fill_null(False),
        "banned_word": _says("prompt", config.banned_words) | _says("caption", config.banned_words),
    }
    of_image = pl.col("_flags").fill_null([])
    cases = [
        pl.when(of_image.list.contains(flag) | own.get(flag, pl.lit(False))).then(pl.lit(flag))
        for flag in DROP_FLAGS
    ]
    unchecked = pl.when(pl.col("_flags").is_null()).then(pl.lit("unchecked"))
    return (
        joined.with_columns(
            pl.concat_list(*cases, unchecked).list.drop_nulls().alias("drop_reasons")
        )
        .with_columns(
            (pl.col("drop_reasons").list.len() == 0).alias("keep"),
            pl.col("drop_reasons").list.first().alias("drop_reason"),
        )
        .select(*prompts.collect_schema().names(), "keep", "drop_reason", "drop_reasons")
    )


def _minors(config: SafetyConfig) -> list[str]:
    return [*SEXUALISED_MINORS, *config.never_tags]


def _children(config: SafetyConfig) -> list[str]:
    return [*CHILDREN, *config.child_tags]


def _says(column: str, words: list[str]) -> pl.Expr:
    """Whether running text holds one of the words (Boolean, never null)."""
    return text_has(pl.col(column), words).fill_null(False)


def _tag_facts(prompts: pl.LazyFrame, config: SafetyConfig) -> pl.LazyFrame:
    """image_id, variant, `_minor`, `_child` of the prompts that hold a listed tag, whole."""
    said = (
        prompts.select("image_id", "variant", "groups")
        .explode("groups")
        .select("image_id", "variant", pl.col("groups").struct.field("tags").alias("tag"))
        .explode("tag")
    )
    # the lists are matched on the distinct tags, which are few
    matched = (
        said.select("tag")
        .unique()
        .drop_nulls()
        .with_columns(
            tag_in(pl.col("tag"), _minors(config)).alias("_minor"),
            tag_in(pl.col("tag"), _children(config)).alias("_child"),
        )
        .filter(pl.col("_minor") | pl.col("_child"))
    )
    return (
        said.join(matched, on="tag", how="inner")
        .group_by("image_id", "variant")
        .agg(pl.col("_minor").any(), pl.col("_child").any())
    )
