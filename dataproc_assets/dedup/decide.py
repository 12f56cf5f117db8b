"""What a measured pair amounts to: a duplicate, a variant, or a link that the pictures deny."""

import numpy as np
import polars as pl

from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.dedup.detail import SAME, detail_distance
from dataproc_assets.dedup.links import EVIDENCE, HASHES, LINKS
from dataproc_assets.dedup.quantise import cosines, integer_threshold

EDGE_SCHEMA = {
    "a": pl.String,
    "b": pl.String,
    "cosine": pl.Float64,
    "phash_distance": pl.Int32,
    "detail_distance": pl.Int32,
    "evidence": pl.List(pl.String),
    "kind": pl.String,
}


def decide(
    pairs: pl.DataFrame,
    rows: pl.DataFrame,
    config: DedupConfig,
    details: pl.DataFrame | None = None,
    distances: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Pairs i < j, `evidence` List(String), `dot` Int64|null as edges in `EDGE_SCHEMA`.

    `details`, image_key and `detail`, stands for the rows' own column, where only some are known;
    `distances`, `a`, `b` and `detail_distance`, are not measured again.

    - A hash says equal bytes: duplicate, whatever the pictures look like.
    - At or above the cosine: duplicate within the pHash distance where the detail does not
      differ, else variant, link or no link. A missing pHash confirms nothing, a missing detail
      denies nothing. A pHash beyond `variant_distance` without a link: two pictures, no edge.
    - Below it, a link joins down to `link_cosine_min`, and where a side was never scored, whose
      tags then still speak for its twin. Further down it is a mismatch.
    """
    alike = (pl.col("dot") >= integer_threshold(config.cosine)).fill_null(False)
    unlike = (pl.col("dot") < integer_threshold(config.link_cosine_min)).fill_null(False)
    near = (pl.col("phash_distance") <= config.phash_distance).fill_null(False)
    differs = (pl.col("detail_distance") > SAME).fill_null(False)
    apart = (pl.col("phash_distance") > config.variant_distance).fill_null(False)
    same_bytes, linked = _any_of(HASHES), _any_of(LINKS)
    kind = (
        pl.when(same_bytes | (alike & near & ~differs))
        .then(pl.lit("duplicate"))
        .when(alike & (linked | ~apart))
        .then(pl.lit("variant"))
        .when(alike | ~linked)
        .then(None)
        .when(unlike)
        .then(pl.lit("link_mismatch"))
        .otherwise(pl.lit("duplicate"))
    )
    stated = {name: pl.col("evidence").list.contains(name) for name in EVIDENCE}
    stated |= {"cosine_phash": alike & near & ~differs, "parent": stated["parent"] & alike}
    stated |= {"detail": differs}
    evidence = pl.concat_list(pl.when(holds).then(pl.lit(name)) for name, holds in stated.items())
    keys = rows["image_key"]
    measured = pairs.with_columns(phash_distance(pairs, rows))
    close = measured.select(alike & near & ~same_bytes).to_series()
    return (
        measured.with_columns(
            _detail_distance(pairs, close, rows, config, details, distances),
            keys.gather(pairs["i"]).alias("a"),
            keys.gather(pairs["j"]).alias("b"),
            _cosine(pairs["dot"]),
        )
        .with_columns(kind=kind, evidence=evidence.list.drop_nulls())
        .filter(pl.col("kind").is_not_null())
        .select(*EDGE_SCHEMA)
        .sort("a", "b")
    )


def _detail_distance(
    pairs: pl.DataFrame,
    close: pl.Series,
    rows: pl.DataFrame,
    config: DedupConfig,
    details: pl.DataFrame | None,
    distances: pl.DataFrame | None,
) -> pl.Series:
    """Of the `close` pairs, which alone it can part; null for all others."""
    places = np.flatnonzero(close.to_numpy())
    i, j = (pairs[end].to_numpy()[places] for end in ("i", "j"))
    keys = rows["image_key"]
    before = pl.Series("detail_distance", [None], pl.Int32).new_from_index(0, len(places))
    if distances is not None:
        asked = pl.DataFrame({"a": keys.gather(i), "b": keys.gather(j)})
        known = asked.join(distances, on=["a", "b"], how="left", maintain_order="left")
        before = known["detail_distance"].cast(pl.Int32)
    new = np.flatnonzero(before.is_null().to_numpy())
    some = np.unique(np.concatenate([i[new], j[new]]))
    source = (rows if details is None else details).select("image_key", "detail")
    wanted = keys.gather(some).to_frame()
    wanted = wanted.join(source, on="image_key", how="left", maintain_order="left")
    one, other = (np.searchsorted(some, end[new]) for end in (i, j))
    found = before.scatter(new, detail_distance(wanted["detail"], one, other, config.detail))
    return _nulls(found, len(pairs)).scatter(places, found)


def _any_of(names: tuple[str, ...]) -> pl.Expr:
    return pl.any_horizontal(pl.col("evidence").list.contains(name) for name in names)


def _cosine(dots: pl.Series) -> pl.Series:
    values = pl.Series("cosine", cosines(dots.fill_null(0).to_numpy()))
    return values.zip_with(dots.is_not_null(), _nulls(values, len(values)))


def phash_distance(pairs: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Bits in which the 64-bit perceptual hashes differ, Int32; null where one is unknown."""
    left = rows["phash"].gather(pairs["i"])
    right = rows["phash"].gather(pairs["j"])
    bits = np.bitwise_count(left.fill_null(0).to_numpy() ^ right.fill_null(0).to_numpy())
    known = left.is_not_null() & right.is_not_null()
    distance = pl.Series("phash_distance", bits, pl.Int32)
    return distance.zip_with(known, _nulls(distance, len(distance)))


def _nulls(like: pl.Series, length: int) -> pl.Series:
    return pl.Series(like.name, [None], like.dtype).new_from_index(0, length)
