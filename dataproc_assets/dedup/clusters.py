"""Which image stands for which: components of duplicates, and the best of each neighbourhood."""

import numpy as np
import polars as pl

from dataproc_assets.config.dedup import OrderColumn

NOBODY = -1


def total_order(rows: pl.DataFrame, order: list[OrderColumn]) -> np.ndarray:
    """Rank int64 (n,) of each row, 0 the best; nulls are worst, the key settles every tie."""
    columns = [*order, OrderColumn(column="image_key", direction="ascending")]
    best_first = rows.with_row_index("position").sort(
        [step.column for step in columns],
        descending=[step.direction == "descending" for step in columns],
        nulls_last=True,
    )["position"]
    rank = np.empty(len(rows), np.int64)
    rank[best_first.to_numpy()] = np.arange(len(rows))
    return rank


def components(count: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Label int32 (count,) of the connected component of each row under the edges (i, j)."""
    # slow to import, and the definitions never ask for a component
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(i), bool), (i, j)), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def representatives(rank: np.ndarray, keep: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Row number int64 (n,) of each row's representative, `NOBODY` where it has none.

    The best kept row of a component stands for itself and its direct neighbours; these leave,
    and the best of what remains is next. So nothing is dropped for an image it has no edge to,
    and a chain of likenesses does not fold into one image. Of several representatives beside it
    a row belongs to the best, as do the rows not kept, which never stand.

    All rows that are the best of their remaining neighbourhood are taken at once: these are the
    same rows as one by one, since none of them can absorb another.
    """
    source, target = np.concatenate([i, j]), np.concatenate([j, i])
    remaining = keep.copy()
    standing = np.zeros(len(rank), bool)
    open_edges = keep[source] & keep[target]
    u, v = source[open_edges], target[open_edges]
    while remaining.any():
        best_beside = np.full(len(rank), len(rank))
        np.minimum.at(best_beside, u, rank[v])
        chosen = remaining & (rank < best_beside)
        standing |= chosen
        remaining &= ~chosen
        remaining[v[chosen[u]]] = False
        open_edges = remaining[u] & remaining[v]
        u, v = u[open_edges], v[open_edges]
    return _nearest(rank, standing, source, target)


def _nearest(
    rank: np.ndarray, standing: np.ndarray, source: np.ndarray, target: np.ndarray
) -> np.ndarray:
    best = np.full(len(rank), len(rank))
    beside = standing[source]
    np.minimum.at(best, target[beside], rank[source[beside]])
    best[standing] = rank[standing]
    by_rank = np.append(np.argsort(rank), NOBODY)
    return by_rank[best]
