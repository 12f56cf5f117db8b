"""Pairs that metadata claims to be one picture: equal hashes, platform links, parent posts."""

import polars as pl

HASHES = ("sha256", "md5")
LINKS = ("pixiv_link", "source_url")
EVIDENCE = ("cosine_phash", *HASHES, *LINKS, "parent", "detail")
"""In the order in which evidence is listed."""


def claimed_pairs(rows: pl.DataFrame, max_pairs: int) -> pl.DataFrame:
    """Every claimed pair once a claim: i < j (Int64 row numbers) and `evidence`.

    Two rows of the same MD5 agree whether it was computed or claimed. A post URL names all
    pages of the post. A pixiv link without its page names no picture, so it is no claim.

    Raises:
        ValueError: one kind of claim makes more than `max_pairs`; its commonest value is named.
    """
    claims = {
        "sha256": _equal(_values(rows, "sha256"), max_pairs),
        "md5": _equal(_values(rows, "md5", "record_md5"), max_pairs),
        "pixiv_link": _points(_pixiv_keys(rows), _values(rows, "image_key"), max_pairs),
        "source_url": _points(
            _values(rows, "linked_source"), _values(rows, "url", "post_url"), max_pairs
        ),
        "parent": _points(_posts(rows, "parent_id"), _posts(rows, "post_id"), max_pairs),
    }
    return pl.concat(pairs.with_columns(evidence=pl.lit(name)) for name, pairs in claims.items())


def _values(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Distinct (row, value) of the columns; an empty string is no value."""
    return (
        pl.concat(rows.select("row", pl.col(name).alias("value")) for name in columns)
        .filter(pl.col("value") != "")
        .unique()
    )


def _pixiv_keys(rows: pl.DataFrame) -> pl.DataFrame:
    key = pl.format("pixiv/{}_p{}", "linked_pixiv_id", "linked_pixiv_page")
    return rows.select("row", value=key).drop_nulls()


def _posts(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Post ids are unique in their source only."""
    return rows.select("row", value=pl.format("{}/{}", "source", column)).drop_nulls()


def _equal(values: pl.DataFrame, max_pairs: int) -> pl.DataFrame:
    _check(values, values, max_pairs)
    return (
        values.join(values, on="value")
        .filter(pl.col("row") < pl.col("row_right"))
        .select(i="row", j="row_right")
        .unique()
    )


def _points(origins: pl.DataFrame, targets: pl.DataFrame, max_pairs: int) -> pl.DataFrame:
    _check(origins, targets, max_pairs)
    return (
        origins.join(targets, on="value")
        .filter(pl.col("row") != pl.col("row_right"))
        .select(i=pl.min_horizontal("row", "row_right"), j=pl.max_horizontal("row", "row_right"))
        .unique()
    )


def _check(left: pl.DataFrame, right: pl.DataFrame, max_pairs: int) -> None:
    """Refuse a join that memory may not hold, before it is made."""
    sizes = [side.group_by("value").len() for side in (left, right)]
    pairs = (
        sizes[0]
        .join(sizes[1], on="value")
        .select("value", pairs=pl.col("len") * pl.col("len_right").cast(pl.UInt64))
    )
    if (pairs["pairs"].sum() or 0) > 2 * max_pairs:
        value, most = pairs.sort("pairs", "value", descending=[True, False]).row(0)
        raise ValueError(
            f"over {max_pairs} pairs are claimed, {most // 2} of them by {value!r} alone: raise "
            "search.max_pairs in conf/dedup.yaml, or take such images out of the crawl"
        )
