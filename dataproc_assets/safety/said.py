"""Which rows say a listed word, in their tags or in their texts; most rows say none."""

from collections.abc import Callable, Iterable, Mapping

import polars as pl

from dataproc_assets.safety.matching import (
    ascii_spelling,
    hashtag_words,
    tag_says,
    text_says,
    text_spelling,
)

Match = Callable[[pl.Expr, Iterable[str]], pl.Expr]
_TEXT = {"row": pl.UInt32, "text": pl.String}


def in_tags(
    rows: pl.DataFrame, columns: Iterable[str], lists: Mapping[str, tuple[Iterable[str], Match]]
) -> pl.DataFrame:
    """Whether a row has a tag of each list: one Boolean column a list, in the rows' order.

    `columns` are lists of strings, or of structs with a field `tag`. The lists, each with how its
    words match (`tag_in`, `tag_says`), are tried on the distinct tags, which are few.
    """
    tags = [rows.select(tag=_tags(rows, column)).to_series() for column in columns]
    # the distinct rows of a frame take a sixth of the time of the distinct values of a series
    different = [each.to_frame().lazy().explode("tag").unique() for each in tags]
    every = [word for words, _ in lists.values() for word in words]
    matched = (
        pl.concat([pl.LazyFrame(schema={"tag": pl.String}), *different])
        .drop_nulls()
        .unique()
        .pipe(_spelt, "tag")
        .filter(tag_says(pl.col("spelt"), every))
        .select("tag", *[match(pl.col("spelt"), w).alias(n) for n, (w, match) in lists.items()])
        .collect()
    )
    listed = pl.element().is_in(matched["tag"].to_list())
    hits = [
        each.to_frame()
        .with_row_index("row")
        .filter(pl.col("tag").list.eval(listed).list.any())
        .explode("tag")
        .join(matched, on="tag")
        .drop("tag")
        for each in tags
    ]
    return _by_row(hits, list(lists), rows.height)


def in_texts(
    rows: pl.DataFrame, columns: Iterable[str], lists: Mapping[str, Iterable[str]]
) -> pl.DataFrame:
    """Whether a row's running text holds a word of each list: as `in_tags`."""
    every = [word for words in lists.values() for word in words]
    texts = [rows.lazy().select(text=column).with_row_index("row") for column in columns]
    hashtags = pl.concat([pl.LazyFrame(schema=_TEXT), *texts]).filter(
        pl.col("text").str.contains(r"[#\uff03]")  # few have one, and to take one out is slow
    )
    words = hashtags.select("row", text=hashtag_words(pl.col("text"))).drop_nulls()
    hits = [
        some.pipe(_spelt, "text")
        .filter(text_says(pl.col("spelt"), every))  # most texts hold no word of any list
        .select("row", *[text_says(pl.col("spelt"), w).alias(n) for n, w in lists.items()])
        .collect()
        for some in (*texts, words)
    ]
    return _by_row(hits, list(lists), rows.height)


def _spelt(rows: pl.LazyFrame, column: str) -> pl.LazyFrame:
    """The rows, in another order, with the column's `spelt` text."""
    text = pl.col(column)
    is_ascii = text.str.len_bytes() == text.str.len_chars()
    plain = rows.filter(is_ascii).with_columns(spelt=ascii_spelling(text))
    return pl.concat([plain, rows.filter(~is_ascii).with_columns(spelt=text_spelling(text))])


def _tags(rows: pl.DataFrame, column: str) -> pl.Expr:
    kind = rows.schema[column]
    structs = isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct)
    return pl.col(column).list.eval(pl.element().struct.field("tag")) if structs else pl.col(column)


def _by_row(hits: list[pl.DataFrame], names: list[str], height: int) -> pl.DataFrame:
    """The columns of `hits` in the place that its column `row` names, and False elsewhere."""
    none = pl.DataFrame(schema={"row": pl.UInt32, **dict.fromkeys(names, pl.Boolean)})
    found = pl.concat([none, *hits]).group_by("row").agg(pl.col(names).any())
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    spread = rows.join(found, on="row", how="left", maintain_order="left")
    return spread.select(pl.col(name).fill_null(False) for name in names)
