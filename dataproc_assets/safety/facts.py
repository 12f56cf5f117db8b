"""What each row says that counts for safety, one boolean a fact, before rows are put together."""

from collections.abc import Iterable
from functools import reduce

import polars as pl

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets.safety.matching import tag_in, tag_says
from dataproc_assets.safety.never import ADULT_RATINGS, ADULT_TAGS, CHILDREN, SEXUALISED_MINORS
from dataproc_assets.safety.said import in_tags, in_texts

FACTS = (
    "never_tag",
    "child",
    "adult",
    "opt_out",
    "banned_artist",
    "banned_status",
    "active",
    "inactive",
    "ai",
    "banned_content",
    "banned_word",
    "poor_content",
)
TAG_COLUMNS = ("tags_general", "tags_character", "tags_copyright", "tags_artist", "tags_meta")
TEXT_COLUMNS = ("title", "caption")
_OTHER_TEXTS = ("caption_text", "text_cut")
_OF_RECORD = ("artist_ids", "artist_names", "rating", "ai", "status")


def row_facts(rows: pl.DataFrame, config: SafetyConfig) -> pl.DataFrame:
    """image_key and the `FACTS` (Boolean, never null) of every row, in the rows' order.

    `rows` are records with `source`, the tag and text columns, `artist_ids`, `artist_names`,
    `rating`, `ai` and `status`. The tags of a model count whatever their p, and so do
    `caption_text` and `text_cut` (what a merger cut out of the texts) where there are such. A fact
    is of its row alone: the facts of all rows are those of their parts, however they are cut.

    Raises ValueError when a score of the configuration has no column.
    """
    for score in config.ai.scores:
        if score.column not in rows.columns:
            raise ValueError(
                f"safety.yaml ai.scores reads column '{score.column}', which the rows do not have; "
                "name a column of a metric that is scored for every source"
            )
    active = pl.col("status").is_in(config.active_statuses)
    own = rows.select(
        adult=pl.col("rating").is_in(ADULT_RATINGS).fill_null(False),
        opt_out=of_listed_artist(rows, config),
        banned_status=pl.col("status").is_in(config.banned_statuses).fill_null(False),
        active=active.fill_null(False),
        inactive=(~active).fill_null(False),
        ai=_by_model(config),
    )
    return _together(rows, own, [*TAG_COLUMNS, *_machine_tags(rows.schema)], TEXT_COLUMNS, config)


def machine_facts(found: pl.DataFrame, config: SafetyConfig) -> pl.DataFrame:
    """As `row_facts`, of what models alone said: lists of tags with their p, `caption_text`."""
    return _together(found, pl.DataFrame(), _machine_tags(found.schema), (), config)


def add_facts(facts: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    """The facts of some rows with what others say of the same keys, which are unique in each."""
    said = more.filter(pl.any_horizontal(FACTS))  # of a machine's texts few say anything
    joined = facts.join(said, on="image_key", how="left", maintain_order="left", suffix="__more")
    either = [(pl.col(f) | pl.col(f"{f}__more").fill_null(False)).alias(f) for f in FACTS]
    return joined.with_columns(either).select(facts.columns)


def fact_columns(schema: pl.Schema, config: SafetyConfig) -> list[str]:
    """What `row_facts` reads of rows with these columns."""
    scores = {score.column for score in config.ai.scores}
    read = {"image_key", "source", *TAG_COLUMNS, *TEXT_COLUMNS, *_OF_RECORD, *scores}
    read |= {*_OTHER_TEXTS, *_machine_tags(schema)}
    return [name for name in schema.names() if name in read]


def of_listed_artist(rows: pl.DataFrame, config: SafetyConfig) -> pl.Series:
    """Whether an artist of the row is listed, by name, alias, tag or platform user id: Boolean."""
    artists = {"opt_out": (config.opt_out.artists, tag_in)}
    by_name = in_tags(rows, ("artist_names", "tags_artist"), artists)
    listed: dict[str, list[str]] = {}
    for item in config.opt_out.artist_ids:
        source, user = item.split("/", 1)
        listed.setdefault(source, []).append(user)
    by_id = [
        (pl.col("source") == source)
        & pl.col("artist_ids").list.eval(pl.element().is_in(users)).list.any()
        for source, users in sorted(listed.items())
    ]
    found = rows.select(opt_out=reduce(pl.Expr.or_, by_id, pl.repeat(False, pl.len())))
    return found["opt_out"].fill_null(False) | by_name["opt_out"]


def words(config: SafetyConfig) -> dict[str, list[str]]:
    """The words that are looked for in tags and in running text, by their fact."""
    return {
        "never_tag": [*SEXUALISED_MINORS, *config.never_tags],
        "child": [*CHILDREN, *config.child_tags],
        "banned_word": config.banned_words,
    }


def _together(
    rows: pl.DataFrame,
    own: pl.DataFrame,
    tags: Iterable[str],
    texts: Iterable[str],
    config: SafetyConfig,
) -> pl.DataFrame:
    captions = [name for name in rows.columns if name in _OTHER_TEXTS]
    parts = [
        own,
        in_tags(rows, tags, _tag_lists(config)),
        in_texts(rows, [*texts, *captions], words(config)),
    ]
    no = pl.repeat(False, rows.height, eager=True)
    found = {name: [part[name] for part in parts if name in part.columns] for name in FACTS}
    return rows.select("image_key").with_columns(
        reduce(pl.Series.__or__, said, no).alias(name) for name, said in found.items()
    )


def _tag_lists(config: SafetyConfig) -> dict:
    return {
        **{fact: (listed, tag_says) for fact, listed in words(config).items()},
        "adult": (ADULT_TAGS, tag_in),
        "opt_out": (config.opt_out.tags, tag_in),
        "banned_artist": (config.banned_artist_tags, tag_in),
        "ai": (config.ai.tags, tag_in),
        "banned_content": (config.content.drop, tag_in),
        "poor_content": (config.content.report, tag_in),
    }


def _machine_tags(schema: pl.Schema) -> list[str]:
    """The columns of lists of tags with their p, as every tagger writes them."""
    return [
        name
        for name, kind in schema.items()
        if isinstance(kind, pl.List)
        and isinstance(kind.inner, pl.Struct)
        and {"tag", "p"} <= {field.name for field in kind.inner.fields}
    ]


def _by_model(config: SafetyConfig) -> pl.Expr:
    scores = [
        (pl.col(score.column).fill_nan(None) >= score.at_least).fill_null(False)
        for score in config.ai.scores
    ]
    return reduce(pl.Expr.or_, scores, (pl.col("ai") == "yes").fill_null(False))
