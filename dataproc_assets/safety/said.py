"""Which rows say a listed word, in their tags or in their texts; most rows say none."""

from collections.abc import Callable, Iterable, Mapping

import polars as pl

from dataproc_assets.safety.matching import says, text_spelling

Match = Callable[[pl.Expr, Iterable[str]], pl.Expr]
_BETWEEN = " . "  # no word of several parts reaches from one text into the next


def in_tags(
    rows: pl.DataFrame, columns: Iterable[str], lists: Mapping[str, tuple[Iterable[str], Match]]
) -> pl.DataFrame:
    """Whether a row has a tag of each list: one Boolean column a list, in the rows' order.

    `columns` are lists of strings, or of structs with a field `tag`. The lists, each with how its
    words match (`tag_in`, `tag_says`), are tried on the distinct tags, which are few.
    """
    lists_of_tags = [_tags(rows, column) for column in columns]
    if not lists_of_tags:
        return _none(list(lists), rows.height)
    tags = rows.select(tag=pl.concat_list(lists_of_tags)).with_row_index("row")
    distinct = tags["tag"].explode().drop_nulls().unique()
    matched = (
        distinct.to_frame()
        .with_columns(match(pl.col("tag"), words).alias(n) for n, (words, match) in lists.items())
        .filter(pl.any_horizontal(list(lists)))
    )
    listed = pl.element().is_in(matched["tag"].to_list())
    hits = (
        tags.filter(pl.col("tag").list.eval(listed).list.any())
        .explode("tag")
        .join(matched, on="tag")
        .group_by("row")
        .agg(pl.col(list(lists)).any())
    )
    return _spread(hits, list(lists), rows.height)


def in_texts(
    rows: pl.DataFrame, columns: Iterable[str], lists: Mapping[str, Iterable[str]]
) -> pl.DataFrame:
    """Whether a row's running text holds a word of each list: as `in_tags`."""
    if not (columns := list(columns)):
        return _none(list(lists), rows.height)
    every = [word for words in lists.values() for word in words]
    text, together = pl.col("text"), pl.concat_str(columns, separator=_BETWEEN, ignore_nulls=True)
    texts = rows.lazy().select(text=together).with_row_index("row")
    # ASCII has one form only, and most texts hold no word of any list
    is_plain = text.str.len_bytes() == text.str.len_chars()
    spelt = [
        texts.filter(chosen).with_columns(text=spelling).filter(says(text, every))
        for chosen, spelling in (
            (is_plain, text.str.to_lowercase()),
            (~is_plain, text_spelling(text)),
        )
    ]
    held = [says(text, words).alias(name) for name, words in lists.items()]
    return _spread(pl.concat(spelt).select("row", *held).collect(), list(lists), rows.height)


def _tags(rows: pl.DataFrame, column: str) -> pl.Expr:
    kind = rows.schema[column]
    structs = isinstance(kind, pl.List) and isinstance(kind.inner, pl.Struct)
    tags = pl.col(column)
    return (tags.list.eval(pl.element().struct.field("tag")) if structs else tags).fill_null([])


def _none(names: list[str], height: int) -> pl.DataFrame:
    return pl.DataFrame(dict.fromkeys(names, pl.repeat(False, height, eager=True)))


def _spread(hits: pl.DataFrame, names: list[str], height: int) -> pl.DataFrame:
    """The columns of `hits` in the place that its column `row` names, and False elsewhere."""
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    spread = rows.join(hits, on="row", how="left", maintain_order="left")
    return spread.select(pl.col(name).fill_null(False) for name in names)
