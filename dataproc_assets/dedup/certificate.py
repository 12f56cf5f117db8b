"""Evidence that the search was exact: a sample of rows compared with everything in float64."""

from typing import NamedTuple

import numpy as np
import polars as pl
import polars_hash as plh

from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.dedup.clusters import components
from dataproc_assets.dedup.decide import EDGE_SCHEMA, phash_distance
from dataproc_assets.dedup.found import Found, Vectors
from dataproc_assets.dedup.items import prepare, row_numbers, scored_vectors
from dataproc_assets.dedup.quantise import SCALE, cosines, integer_threshold

BIN = 0.005
"""Width of the histogram's bins of cosine."""

BLOCK_ROWS = 4096


class Certificate(NamedTuple):
    """Evidence of one search.

    Attributes:
        figures: recall, what was compared, what was decided; plain numbers.
        nearest: the pairs nearest the cosine, up to `borderline_pairs` on either side, in
            `EDGE_SCHEMA`. Those above are the edges of the lowest cosines. Those below, whose
            `kind` and `detail_distance` are null, are the sample's, since the search keeps no
            pair below.
    """

    figures: dict
    nearest: pl.DataFrame


def certificate(
    items: pl.DataFrame,
    edges: pl.DataFrame,
    config: DedupConfig,
    sample: int | None = None,
    found: Found | None = None,
) -> Certificate:
    """Compare a sample of `items` with everything, and hold the edges against it.

    `sample` rows (default `certificate_rows`), drawn by a hash of their key, are compared with
    all scored rows by float64 products of the quantised vectors. These are sums of integers
    below 2**53, thus exact, and owe nothing to blocks or screens. `missed` and `unfounded` count
    the edges that the search should or should not have; `recall` is 1.0 or there is a fault.
    `histogram` counts the sample's cosines, in bins from a little below the threshold. Of `found`
    only the vectors count here.
    """
    rows = prepare(items)
    if found is None:
        numbers, vectors = scored_vectors(rows)
    else:
        numbers, vectors = row_numbers(found.keys, rows), found.vectors
    drawn = _draw(rows, numbers, config, config.certificate_rows if sample is None else sample)
    pairs, histogram = _brute_force(numbers, vectors, drawn, config.cosine)
    alike = pairs.filter(pl.col("dot") >= integer_threshold(config.cosine)).select("i", "j")
    distance = phash_distance(alike, rows)
    recorded = alike.filter((distance <= config.variant_distance).fill_null(True))
    reported = _reported(rows, numbers[drawn], edges, config.cosine)
    missed = len(recorded.join(reported, on=["i", "j"], how="anti"))
    figures = {
        "rows": len(rows),
        "scored": len(numbers),
        "pairs_compared": len(numbers) * (len(numbers) - 1) // 2,
        "edges": dict(edges["kind"].value_counts().sort("kind").iter_rows()),
        "largest_component": _largest(rows, edges),
        "sample_rows": len(drawn),
        "sample_pairs": len(recorded),
        "missed": missed,
        "unfounded": len(reported.join(alike, on=["i", "j"], how="anti")),
        "recall": 1 - missed / len(recorded) if len(recorded) else 1.0,
        "histogram": histogram,
    }
    return Certificate(figures, _nearest(rows, pairs, edges, config))


def _nearest(
    rows: pl.DataFrame, pairs: pl.DataFrame, edges: pl.DataFrame, config: DedupConfig
) -> pl.DataFrame:
    below = (
        pairs.filter(pl.col("dot") < integer_threshold(config.cosine))
        .sort("dot", "i", "j", descending=[True, False, False])
        .head(config.borderline_pairs)
    )
    unlike = pl.DataFrame(
        {
            "a": rows["image_key"].gather(below["i"]),
            "b": rows["image_key"].gather(below["j"]),
            "cosine": cosines(below["dot"].to_numpy()),
            "phash_distance": phash_distance(below, rows),
        }
    )
    above = edges.filter(pl.col("cosine") >= integer_threshold(config.cosine) / float(SCALE**2))
    nearest = above.sort("cosine", "a", "b").head(config.borderline_pairs)
    known = unlike.join(edges, on=["a", "b"], how="anti")
    return pl.concat([nearest, known], how="diagonal").select(*EDGE_SCHEMA).sort("a", "b")


def _reported(
    rows: pl.DataFrame, sampled: np.ndarray, edges: pl.DataFrame, cosine: float
) -> pl.DataFrame:
    """Edges (i, j) at or above the cosine that touch a sampled row."""
    alike = edges.filter(pl.col("cosine") >= integer_threshold(cosine) / float(SCALE**2))
    ends = {"i": row_numbers(alike["a"], rows), "j": row_numbers(alike["b"], rows)}
    touches = np.isin(ends["i"], sampled) | np.isin(ends["j"], sampled)
    return pl.DataFrame(ends).filter(pl.Series(touches, dtype=pl.Boolean))


def _draw(rows: pl.DataFrame, numbers: np.ndarray, config: DedupConfig, sample: int) -> np.ndarray:
    """Positions among the scored rows, ascending: those of the smallest hashes."""
    keys = rows["image_key"].gather(numbers).to_frame().with_row_index("position")
    salted = plh.concat_str(pl.lit(f"{config.certificate_seed}/"), "image_key")
    drawn = keys.with_columns(draw=salted.chash.sha2_256()).sort("draw")  # type: ignore
    return np.sort(drawn["position"].head(sample).to_numpy().astype(np.int64))


def _brute_force(
    numbers: np.ndarray, vectors: Vectors, drawn: np.ndarray, cosine: float
) -> tuple[pl.DataFrame, list[dict]]:
    """Pairs (i, j) of row numbers with their `dot`, in the histogram's range; the histogram."""
    start = round(cosine - 10 * BIN, 6)
    bounds = np.append(np.arange(start, 1, BIN), np.inf)
    counts = np.zeros(len(bounds) - 1, np.int64)
    lowest = integer_threshold(start)
    met = [np.empty((3, 0), np.int64)]
    sampled = vectors[drawn].astype(np.float64)
    for top in range(0, len(vectors), BLOCK_ROWS):
        block = vectors[top : top + BLOCK_ROWS].astype(np.float64)
        dots = sampled @ block.T
        counts += np.histogram(dots / SCALE**2, bounds)[0]
        left, right = np.nonzero(dots >= lowest)
        met.append(np.stack([drawn[left], right + top, dots[left, right].astype(np.int64)]))
    one, other, dot = np.concatenate(met, axis=1)
    i, j = numbers[one], numbers[other]
    pairs = pl.DataFrame({"i": np.minimum(i, j), "j": np.maximum(i, j), "dot": dot})
    counts[-1] -= len(drawn)  # each row met itself
    lows = (round(float(low), 6) for low in bounds[:-1])
    bins = [{"from": low, "pairs": int(n)} for low, n in zip(lows, counts, strict=True)]
    return pairs.filter(pl.col("i") < pl.col("j")).unique().sort("i", "j"), bins


def _largest(rows: pl.DataFrame, edges: pl.DataFrame) -> int:
    duplicates = edges.filter(pl.col("kind") == "duplicate")
    labels = components(len(rows), *(row_numbers(duplicates[end], rows) for end in ("a", "b")))
    return int(np.bincount(labels).max(initial=0))
