"""What a record's tags and texts hold beside content, taken to where it belongs."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.config.mergers import MergerConfig
from dataproc_assets.sources.columns import RATINGS
from dataproc_assets.transforms.tagged import TAG_COLUMNS, distinct_tags, holds, is_named, named

_MORE_BLANKS = r"[ \t\u3000]{2,}"


def clean_records(records: pl.LazyFrame, config: MergerConfig) -> pl.LazyFrame:
    """Records as `MergerConfig` says they are to be, in any order, with `text_cut` str|null.

    records: the columns of `RECORD_SCHEMA`. Tags are matched once each, and only records that hold
    a matched one are written anew. No word is lost but those of a rating, of a tag that goes whole
    and of what `cut_from_tags` names: `text_cut` has what the texts lost.
    """
    schema = pl.Schema({**records.collect_schema(), "text_cut": pl.String})
    return records.map_batches(lambda frame: _clean(frame, config), schema=schema)


def _clean(records: pl.DataFrame, config: MergerConfig) -> pl.DataFrame:
    tags = distinct_tags([records[column] for column in TAG_COLUMNS])
    rated = {rating: named(tags, config.ratings.get(rating, [])) for rating in RATINGS}
    cleaned = records.with_columns(
        _rating(records, rated).alias("rating"), *_texts(records, config)
    )
    cleaned = _with_banned(cleaned, named(tags, config.banned_tags))
    gone = pl.concat(list(rated.values()))
    cleaned = _with_tags_cut(cleaned, tags, gone, config.cut_from_tags)
    return _with_meta(cleaned, tags, config.meta_tags)


def _holds(records: pl.DataFrame, tags: pl.Series) -> pl.Series:
    """Whether any category has one of `tags`."""
    found = [holds(records[column], tags) for column in TAG_COLUMNS]
    return pl.select(pl.any_horizontal(found)).to_series()


def _rating(records: pl.DataFrame, rated: dict[str, pl.Series]) -> pl.Expr:
    """The more restrictive of the record's rating and its tags'."""
    order = {rating: number for number, rating in enumerate(RATINGS)}
    said = [
        pl.when(_holds(records, tags)).then(pl.lit(order[rating]))
        for rating, tags in rated.items()
        if len(tags)
    ]
    if not said:
        return pl.col("rating")
    known = pl.col("rating").replace_strict(order, default=None, return_dtype=pl.Int32)
    names = dict(enumerate(RATINGS))
    return pl.max_horizontal(known, *said).replace_strict(names, return_dtype=pl.String)


def _with_banned(records: pl.DataFrame, tags: pl.Series) -> pl.DataFrame:
    if tags.is_empty():
        return records
    return records.with_columns(
        status=pl.when(_holds(records, tags)).then(pl.lit("banned")).otherwise("status"),
        artist_names=pl.col("artist_names").list.filter(~pl.element().is_in(tags.to_list())),
    )


def _with_tags_cut(
    records: pl.DataFrame, tags: pl.Series, gone: pl.Series, patterns: Sequence[str]
) -> pl.DataFrame:
    """Without the tags `gone`, and without what the patterns match in the others."""
    left = tags.str.replace_all(_any_of(patterns), "").str.strip_chars(" _") if patterns else tags
    goes = tags.is_in(gone.to_list())
    touched = goes | (left != tags)
    if not touched.any():
        return records
    old, new = tags.filter(touched), left.set(goes, "").filter(touched)
    held = _holds(records, old)
    element = pl.element().replace(old, new)
    rewritten = records.filter(held).with_columns(
        pl.col(column).list.eval(element.filter(element != "")).list.unique(maintain_order=True)
        for column in TAG_COLUMNS
    )
    return pl.concat([records.filter(~held), rewritten])


def _with_meta(records: pl.DataFrame, tags: pl.Series, patterns: Sequence[str]) -> pl.DataFrame:
    """With the general tags that match a pattern whole among the meta tags."""
    if not patterns:
        return records
    meta = tags.filter(tags.str.contains(f"^{_any_of(patterns)}$"))
    if meta.is_empty():
        return records
    is_meta = pl.element().is_in(meta.to_list())
    moved = pl.concat_list("tags_meta", pl.col("tags_general").list.filter(is_meta))
    return records.with_columns(
        tags_general=pl.col("tags_general").list.filter(~is_meta),
        tags_meta=moved.list.unique(maintain_order=True),
    )


def _texts(records: pl.DataFrame, config: MergerConfig) -> list[pl.Expr]:
    """`title`, `caption` and `text_cut`."""
    title, caption = pl.col("title"), pl.col("caption")
    nothing = pl.lit(None, pl.String)
    no_title = title.is_not_null() & is_named(records["title"], config.no_titles)
    cut, kept = nothing, caption
    if config.cut_from_captions:
        pattern = _any_of(config.cut_from_captions)
        cut = caption.str.extract_all(pattern).list.join("\n")
        rest = caption.str.replace_all(pattern, "").str.replace_all(_MORE_BLANKS, " ")
        kept = pl.when(cut != "").then(tidy(rest)).otherwise(caption)
    return [
        pl.when(~no_title).then(title).alias("title"),
        kept.alias("caption"),
        join_texts(pl.when(no_title).then(title), cut).alias("text_cut"),
    ]


def join_texts(*texts: pl.Expr) -> pl.Expr:
    """The texts that say something, one a line; null where none does."""
    return tidy(pl.concat_str(texts, separator="\n", ignore_nulls=True))


def tidy(text: pl.Expr) -> pl.Expr:
    """A text without blanks around it, null where nothing is left."""
    stripped = text.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _any_of(patterns: Sequence[str]) -> str:
    return f"(?i:{'|'.join(f'(?:{pattern})' for pattern in patterns)})"
