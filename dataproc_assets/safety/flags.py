"""What speaks against each image, gathered over everything known of its duplicate component."""

from functools import reduce

import polars as pl

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.never import (
    ADULT_RATINGS,
    CHILDREN,
    SEXUALISED_MINORS,
    tag_in,
    text_has,
)

NEVER_FLAGS = ("never_tag", "child_tag_in_adult")
DROP_FLAGS = (
    *NEVER_FLAGS,
    "opt_out",
    "banned_artist",
    "banned_status",
    "ai",
    "banned_content",
    "banned_word",
)
REPORT_FLAGS = ("poor_content",)
TAG_COLUMNS = ("tags_general", "tags_character", "tags_copyright", "tags_artist", "tags_meta")
TEXT_COLUMNS = ("title", "caption", "caption_text")


def safety_flags(rows: pl.LazyFrame, config: SafetyConfig) -> pl.LazyFrame:
    """The flags of every known row: image_key, component, flags list[str] in a fixed order.

    `rows` are all rows of all sources, those dropped at intake too, with `source`, `component`
    (null where the row is in none: it is then a component of its own), the tag columns,
    `artist_ids`, `artist_names`, `rating`, `ai`, `status`, `title`, `caption`, and where there are
    any `tagger_tags` and `caption_text`. Each row carries the flags of its whole component.

    Raises ValueError when a score of the configuration has no column.
    """
    names = rows.collect_schema().names()
    for score in config.ai.scores:
        if score.column not in names:
            raise ValueError(
                f"safety.yaml ai.scores reads column '{score.column}', which the rows do not have; "
                "name a column of a metric that is scored for every source"
            )
    known = rows.with_columns(
        pl.coalesce("component", "image_key").alias("component"), _all_tags(names).alias("_tags")
    )
    facts = known.select(
        "image_key",
        "component",
        pl.col("rating").is_in(ADULT_RATINGS).fill_null(False).alias("adult"),
        _banned_person(config).alias("opt_out"),
        pl.col("status").is_in(config.banned_statuses).fill_null(False).alias("banned_status"),
        _by_model(config).alias("ai"),
        *[_in_text(names, words).alias(f"text_{flag}") for flag, words in _words(config).items()],
    )
    tagged = _tag_facts(known, config)
    by_component = (
        facts.join(tagged, on="image_key", how="left")
        .group_by("component")
        .agg(pl.exclude("image_key", "component").fill_null(False).any())
    )
    minor = pl.col("text_never_tag") | pl.col("tag_never_tag")
    child = pl.col("text_child") | pl.col("tag_child")
    holds = {
        "never_tag": minor,
        "child_tag_in_adult": child & pl.col("adult"),
        "opt_out": pl.col("opt_out") | pl.col("tag_opt_out"),
        "banned_artist": pl.col("tag_banned_artist"),
        "banned_status": pl.col("banned_status"),
        "ai": pl.col("ai") | pl.col("tag_ai"),
        "banned_content": pl.col("tag_banned_content"),
        "banned_word": pl.col("text_banned_word") | pl.col("tag_banned_word"),
        "poor_content": pl.col("tag_poor_content"),
    }
    flags = pl.concat_list(
        pl.when(holds[flag]).then(pl.lit(flag)) for flag in (*DROP_FLAGS, *REPORT_FLAGS)
    ).list.drop_nulls()
    return (
        facts.select("image_key", "component")
        .join(by_component.select("component", flags.alias("flags")), on="component", how="left")
        .sort("image_key")
    )


def with_opt_out(rows: pl.LazyFrame, config: SafetyConfig) -> pl.LazyFrame:
    """Add `opt_out` bool: whether the row's own artist or tags ask to be left out."""
    tags = pl.concat_list([pl.col(name).fill_null([]) for name in TAG_COLUMNS])
    tagged = tags.list.eval(tag_in(pl.element(), config.opt_out.tags)).list.any()
    return rows.with_columns((_banned_person(config) | tagged).alias("opt_out"))


def quarantined(flags: pl.LazyFrame) -> pl.LazyFrame:
    """image_key of every row of a component that a never rule holds for, sorted.

    No picture and no text of these may be written anywhere.
    """
    held = pl.col("flags").list.set_intersection(list(NEVER_FLAGS)).list.len() > 0
    return flags.filter(held).select("image_key").sort("image_key")


def _words(config: SafetyConfig) -> dict[str, list[str]]:
    return {
        "never_tag": [*SEXUALISED_MINORS, *config.never_tags],
        "child": [*CHILDREN, *config.child_tags],
        "banned_word": config.banned_words,
    }


def _tag_lists(config: SafetyConfig) -> dict[str, list[str]]:
    return {
        **_words(config),
        "opt_out": config.opt_out.tags,
        "banned_artist": config.banned_artist_tags,
        "ai": config.ai.tags,
        "banned_content": config.content.drop,
        "poor_content": config.content.report,
    }


def _all_tags(names: list[str]) -> pl.Expr:
    lists = [pl.col(name).fill_null([]) for name in TAG_COLUMNS]
    if "tagger_tags" in names:
        machine = pl.col("tagger_tags").list.eval(pl.element().struct.field("tag"))
        lists.append(machine.fill_null([]))
    return pl.concat_list(lists)


def _tag_facts(known: pl.LazyFrame, config: SafetyConfig) -> pl.LazyFrame:
    """image_key and `tag_{flag}` bool, for the rows that have a listed tag at all.

    The lists are matched on the distinct tags, which are few, not on every row's.
    """
    tags = known.select("image_key", pl.col("_tags").alias("tag")).explode("tag").drop_nulls("tag")
    lists = _tag_lists(config)
    matched = (
        tags.select("tag")
        .unique()
        .with_columns(tag_in(pl.col("tag"), words).alias(f"tag_{f}") for f, words in lists.items())
        .filter(pl.any_horizontal([f"tag_{flag}" for flag in lists]))
    )
    return (
        tags.join(matched, on="tag", how="inner")
        .group_by("image_key")
        .agg(pl.col(f"tag_{flag}").any() for flag in lists)
    )


def _in_text(names: list[str], words: list[str]) -> pl.Expr:
    found = [text_has(pl.col(name), words) for name in TEXT_COLUMNS if name in names]
    return reduce(pl.Expr.or_, [one.fill_null(False) for one in found])


def _banned_person(config: SafetyConfig) -> pl.Expr:
    """Whether an artist of the row is on the opt-out list, by name, tag or platform user id."""
    artists = [pl.col(name).fill_null([]) for name in ("artist_names", "tags_artist")]
    by_name = pl.concat_list(artists).list.eval(tag_in(pl.element(), config.opt_out.artists))
    listed: dict[str, list[str]] = {}
    for item in config.opt_out.artist_ids:
        source, user = item.split("/", 1)
        listed.setdefault(source, []).append(user)
    by_id = [
        (pl.col("source") == source)
        & (pl.col("artist_ids").list.set_intersection(users).list.len() > 0).fill_null(False)
        for source, users in sorted(listed.items())
    ]
    return reduce(pl.Expr.or_, by_id, by_name.list.any())


def _by_model(config: SafetyConfig) -> pl.Expr:
    scores = [
        (pl.col(score.column).fill_nan(None) >= score.at_least).fill_null(False)
        for score in config.ai.scores
    ]
    return reduce(pl.Expr.or_, scores, (pl.col("ai") == "yes").fill_null(False))
