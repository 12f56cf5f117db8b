"""Pictures that were taken down, known again by what is kept of them: hashes, thumbnail, vector."""

import numpy as np
import polars as pl

from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.dedup.decide import decide
from dataproc_assets.dedup.quantise import integer_threshold, pair_dots

ROWS = 1 << 16  # of images that are held against all prints at a time
PRINT = "print/{}"  # stands for a key where the two are compared
FOUND = pl.Schema({"image_key": pl.String, "of": pl.String, "reason": pl.String})


def same_bytes(images: pl.DataFrame, prints: pl.DataFrame) -> pl.DataFrame:
    """The images whose file is that of a print, in FOUND.

    Args:
        images: `image_key`, `sha256`, `md5`.
        prints: `of`, `sha256`, `md5`.
    """
    hits = [
        images.select("image_key", hash=name)
        .drop_nulls()
        .join(prints.select("of", hash=name).drop_nulls(), on="hash")
        for name in ("sha256", "md5")
    ]
    found = pl.concat(hits).select("image_key", "of", reason=pl.lit("the same file"))
    return _first(found)


def near_prints(images: pl.DataFrame, prints: pl.DataFrame, config: DedupConfig) -> pl.DataFrame:
    """The pairs of an image and a print whose perceptual hashes are near: `image_key`, `print`.

    Every image is held against every print: 10M images and 100 prints take some ten seconds.

    Args:
        images: `image_key`, `phash` UInt64.
        prints: `phash`; `print` is the row's number.
    """
    theirs = prints.with_row_index("print").drop_nulls("phash")
    mine = images.drop_nulls("phash")
    hashes, found = theirs["phash"].to_numpy(), []
    for start in range(0, mine.height, ROWS):
        block = mine[start : start + ROWS]
        bits = np.bitwise_count(block["phash"].to_numpy()[:, None] ^ hashes[None, :])
        i, j = np.nonzero(bits <= config.phash_distance)
        found.append(pl.DataFrame({"image_key": block["image_key"].gather(i), "j": j}))
    empty = pl.DataFrame(schema={"image_key": pl.String, "j": pl.Int64})
    pairs = pl.concat([empty, *found])
    return pairs.select("image_key", print=theirs["print"].gather(pairs["j"]))


def same_picture(
    pairs: pl.DataFrame,
    images: pl.DataFrame,
    prints: pl.DataFrame,
    config: DedupConfig,
    model: str,
) -> pl.DataFrame:
    """The images that show a print's picture, in FOUND: what the search would call duplicates.

    A print whose vector is of another model, or which has none, is judged by the hash and the
    thumbnail alone: rather one picture too many is kept away.

    Args:
        pairs: what `near_prints` gave.
        images: `image_key`, `phash`, `detail` (Array of UInt8) and `vector` (Binary, int16).
        prints: of the ledger.
        model: what the images' vectors were made with.
    """
    if pairs.is_empty():
        return FOUND.to_frame()
    some = prints.with_row_index("print").join(pairs, on="print", how="semi")
    ghosts = some.select(
        image_key=pl.format(PRINT, "print"),
        phash="phash",
        detail=_array(some["detail"], images.schema["detail"]),
        vector=pl.when(pl.col("model") == model).then("vector"),
    )
    columns = ["image_key", "phash", "detail", "vector"]
    mine = images.join(pairs, on="image_key", how="semi")
    rows = pl.concat([ghosts.select(columns), mine.select(columns)], how="vertical_relaxed")
    rows = rows.sort("image_key")
    place = dict(zip(rows["image_key"], range(rows.height), strict=True))
    ends = [
        sorted((place[f"print/{number}"], place[key]))
        for key, number in pairs.select("image_key", "print").iter_rows()
        if key in place
    ]
    compared = (
        pl.DataFrame(
            {"i": [i for i, _ in ends], "j": [j for _, j in ends]},
            schema={"i": pl.Int64, "j": pl.Int64},
        )
        .unique()
        .sort("i", "j")
    )
    compared = compared.with_columns(
        _dots(compared, rows["vector"], config), evidence=pl.lit([], pl.List(pl.String))
    )
    edges = decide(compared, rows, config).filter(pl.col("kind") == "duplicate")
    both = pl.concat(
        edges.select(image_key=one, ghost=other) for one, other in (("a", "b"), ("b", "a"))
    )
    owners = some.select("of", ghost=pl.format(PRINT, "print"))
    found = both.join(owners, on="ghost")
    return _first(found.select("image_key", "of", reason=pl.lit("the same picture")))


def _array(details: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Thumbnails of the ledger as `dtype`; null where they are of another size."""
    width = dtype.shape[0] if isinstance(dtype, pl.Array) else 0
    values = [
        np.frombuffer(data, np.uint8) if data is not None and len(data) == width else None
        for data in details
    ]
    return pl.Series("detail", values, dtype)


def _dots(pairs: pl.DataFrame, vectors: pl.Series, config: DedupConfig) -> pl.Series:
    """`dot` Int64; that of the threshold where a vector is not known."""
    known = vectors.is_not_null().to_numpy()
    i, j = pairs["i"].to_numpy(), pairs["j"].to_numpy()
    dots = np.full(len(i), integer_threshold(config.cosine))
    width = next((len(value) // 2 for value in vectors if value is not None), 1)
    held = np.zeros((len(vectors), width), np.int16)
    for row in np.flatnonzero(known).tolist():
        held[row] = np.frombuffer(vectors[row], np.int16)
    both = np.flatnonzero(known[i] & known[j])
    dots[both] = pair_dots(held, held, i[both], j[both])
    return pl.Series("dot", dots, pl.Int64)


def _first(found: pl.DataFrame) -> pl.DataFrame:
    return found.sort("image_key", "of").unique("image_key", keep="first", maintain_order=True)
