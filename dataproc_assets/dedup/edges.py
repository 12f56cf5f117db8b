"""Edges between images that may be one picture: found in all pairs, measured, decided."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.dedup.decide import decide
from dataproc_assets.dedup.found import Found, Vectors
from dataproc_assets.dedup.items import prepare, row_numbers, scored_vectors
from dataproc_assets.dedup.links import claimed_pairs
from dataproc_assets.dedup.pairs import find_pairs
from dataproc_assets.dedup.quantise import integer_threshold, pair_dots


def find_edges(
    items: pl.DataFrame, config: DedupConfig, found: Found | None = None
) -> pl.DataFrame:
    """All edges of `items` (`ITEM_SCHEMA`), one row a pair a < b, sorted, in `EDGE_SCHEMA`.

    `kind` is "duplicate" (equal bytes; or alike in cosine, pHash and detail; or linked and not
    unlike), "variant" (alike, but not in all of them) or "link_mismatch" (linked, but unlike).
    Only duplicates join. "detail" is the evidence against a pair that the thumbnails alone tell
    apart; "parent" stands as evidence beside a likeness and decides nothing.

    `found` are the vectors of the items and their pairs at or above the cosine, where a search
    has found them already; else they are searched here, in memory.

    Raises:
        ValueError: the items are not as `prepare` wants them, or an embedding is zero or not
            finite.
    """
    rows = prepare(items).with_columns(group=pl.lit(0))
    return _edges(rows, [(0, 0)], found or _search(rows, [(0, 0)], config), config)


def find_cross_edges(
    items: pl.DataFrame, config: DedupConfig, found: Found | None = None
) -> pl.DataFrame:
    """The edges of `items` between two different sources; `found` holds only such pairs.

    With `find_edges` of each source they are exactly `find_edges` of everything.
    """
    rows = prepare(items).with_columns(group=pl.col("source").rank("dense").cast(pl.Int32) - 1)
    sources = rows["source"].n_unique()
    comparisons = [(a, b) for b in range(sources) for a in range(b)]
    return _edges(rows, comparisons, found or _search(rows, comparisons, config), config)


def _edges(
    rows: pl.DataFrame, comparisons: Sequence[tuple[int, int]], found: Found, config: DedupConfig
) -> pl.DataFrame:
    """The edges between the rows whose groups, in ascending order, are among `comparisons`."""
    numbers = row_numbers(found.keys, rows)
    i, j = numbers[found.i], numbers[found.j]
    alike = pl.DataFrame({"i": np.minimum(i, j), "j": np.maximum(i, j)})
    claims = _compared(claimed_pairs(rows, config.search.max_pairs), rows, comparisons)
    pairs = (
        pl.concat([claims, alike.with_columns(evidence=pl.lit(None, pl.String))])
        .group_by("i", "j")
        .agg(pl.col("evidence").drop_nulls())
        .sort("i", "j")
    )
    dots = _dots(pairs, numbers, found.vectors, len(rows))
    return decide(pairs.with_columns(dots), rows, config, found.details, found.distances)


def _compared(
    pairs: pl.DataFrame, rows: pl.DataFrame, comparisons: Sequence[tuple[int, int]]
) -> pl.DataFrame:
    groups = rows.select("row", "group")
    allowed = pl.DataFrame(comparisons, schema={"low": pl.Int32, "high": pl.Int32}, orient="row")
    return (
        pairs.join(groups, left_on="i", right_on="row")
        .join(groups, left_on="j", right_on="row")
        .with_columns(
            low=pl.min_horizontal("group", "group_right"),
            high=pl.max_horizontal("group", "group_right"),
        )
        .join(allowed, on=["low", "high"], how="semi")
        .select("i", "j", "evidence")
    )


def _search(
    rows: pl.DataFrame, comparisons: Sequence[tuple[int, int]], config: DedupConfig
) -> Found:
    """The vectors, and the compared pairs at or above the cosine."""
    numbers, vectors = scored_vectors(rows)
    groups = rows["group"].to_numpy()[numbers]
    count = 1 + max((high for _, high in comparisons), default=0)
    members = [np.flatnonzero(groups == group) for group in range(count)]
    pairs = find_pairs(
        [vectors[member] for member in members],
        comparisons,
        integer_threshold(config.cosine),
        block_rows=config.search.block_rows,
        prefix_dims=config.search.prefix_dims,
    )
    order = np.concatenate(members)
    return Found(rows["image_key"].gather(numbers), vectors, order[pairs.i], order[pairs.j])


def _dots(pairs: pl.DataFrame, numbers: np.ndarray, vectors: Vectors, rows: int) -> pl.Series:
    """`dot`, Int64: null where a side was never scored."""
    position = np.full(rows, -1)
    position[numbers] = np.arange(len(numbers))
    i, j = position[pairs["i"].to_numpy()], position[pairs["j"].to_numpy()]
    scored = np.flatnonzero((i >= 0) & (j >= 0))
    dots = pl.Series("dot", [None], pl.Int64).new_from_index(0, len(pairs))
    return dots.scatter(scored, pair_dots(vectors, vectors, i[scored], j[scored]))
