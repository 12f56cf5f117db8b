"""What a tag says of a record, whatever category a site puts it in."""

from collections.abc import Sequence

import polars as pl

TAG_COLUMNS = ("tags_general", "tags_character", "tags_copyright", "tags_artist", "tags_meta")


def distinct_tags(columns: Sequence[pl.Series]) -> pl.Series:
    """The tags of List(String) columns, each once, in no order: far fewer than there are."""
    # the distinct rows of a frame take a fraction of the time of those of a series
    each = [column.rename("tag").to_frame().lazy().explode("tag").unique() for column in columns]
    return pl.concat(each).unique().drop_nulls().collect().to_series()


def plain_tags(tags: pl.Series) -> pl.Series:
    """Tags without the differences of case and width: lower case and NFKC."""
    return tags.str.normalize("NFKC").str.to_lowercase()


def named(tags: pl.Series, wanted: Sequence[str]) -> pl.Series:
    """Those of `tags` that are one of `wanted`, whatever their case and width."""
    return tags.filter(is_named(tags, wanted))


def is_named(texts: pl.Series, wanted: Sequence[str]) -> pl.Series:
    """Whether each of `texts` is one of `wanted`, whatever their case and width. Boolean."""
    return plain_tags(texts).is_in(plain_tags(pl.Series(wanted, dtype=pl.String)).to_list())


def holds(column: pl.Series, tags: pl.Series) -> pl.Series:
    """Boolean, false where the list is null: it has one of `tags`, spelt exactly so."""
    if tags.is_empty():
        return pl.repeat(False, column.len(), eager=True)
    one = pl.element().is_in(tags.to_list())
    found = column.to_frame("t").select(pl.col("t").list.eval(one).list.any())
    return found.to_series().fill_null(False)


def has_tag(tags: Sequence[str]) -> pl.Expr:
    """Boolean, false where tags are unknown: any category holds one of `tags`, whatever its case
    and width."""

    def find(columns: Sequence[pl.Series]) -> pl.Series:
        found = named(distinct_tags(columns), tags)
        return pl.select(pl.any_horizontal([holds(each, found) for each in columns])).to_series()

    return pl.map_batches(list(TAG_COLUMNS), find, return_dtype=pl.Boolean)


def ai_flag(tags: Sequence[str]) -> pl.Expr:
    """The column `ai`, str: yes where a record has one of `tags`, whatever its own flag says."""
    if not tags:
        return pl.col("ai")
    return pl.when(has_tag(tags)).then(pl.lit("yes")).otherwise("ai").alias("ai")
