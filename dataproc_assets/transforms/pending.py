"""The difference that is `todo`: what is eligible now and not yet scored.

The frames may be a whole source or one partition of it by key; the result of a partition is the
part of the whole result that has its keys.
"""

import numpy as np
import polars as pl
import polars_hash as plh

ADDRESS = ["image_key", "version", "uri", "offset", "length"]
MARKS = pl.Schema({"image_key": pl.String, "image": pl.String, "marks": pl.UInt64})
IMAGE = pl.concat_str("image_key", "version", separator="\0").alias("image")
HASH: pl.Expr = plh.col("image").nchash.xxhash64(seed=0)  # type: ignore[attr-defined]


def pending(
    eligible: pl.LazyFrame, inventory: pl.LazyFrame, scored: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """Eligible images that lack a metric, with their address and the metrics each lacks.

    Args:
        eligible: `image_key`, `intake_drop`; eligible is who has no drop.
        inventory: `image_key`, `version` and the address.
        scored: metric -> `image_key`, `version` of the rows in its parts that are done, which is
            ok or failed for good.

    Returns: `image_key`, `version`, `uri`, `offset`, `length`, `metrics` (sorted names), by key.
    """
    images = eligible_images(eligible, inventory).collect()
    return lacking(images, score_marks(scored), sorted(scored))


def eligible_images(eligible: pl.LazyFrame, inventory: pl.LazyFrame) -> pl.LazyFrame:
    """`image_key`, `version` and the address of the images that have no drop."""
    chosen = eligible.filter(pl.col("intake_drop").is_null()).select("image_key")
    return inventory.join(chosen, on="image_key", how="semi").select(ADDRESS)


def score_marks(scored: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """What metrics have done, in MARKS: `image` is key and version in one string.

    `marks` has a bit for each metric, in the order of their names. Metrics that have done the
    same rows in the same order, as one pass over one unit does, share these rows; other
    repetitions stay, each with its own bits.
    """
    different: list[tuple[pl.DataFrame, int]] = []
    for place, metric in enumerate(sorted(scored)):
        rows, bit = scored[metric].select("image_key", "version"), 1 << place
        for number, (other, bits) in enumerate(different):
            if rows.equals(other):
                different[number] = (other, bits | bit)
                break
        else:
            different.append((rows, bit))
    marked = [
        rows.select("image_key", IMAGE, marks=pl.lit(bits, pl.UInt64)) for rows, bits in different
    ]
    return pl.concat([MARKS.to_frame(), *marked])


def lacking(
    images: pl.DataFrame, marks: pl.DataFrame, metrics: list[str], hashed: pl.Expr = HASH
) -> pl.DataFrame:
    """Images that lack one of `metrics`, by key, with those that each lacks.

    Args:
        images: `image_key`, `version` and the address.
        marks: `image`, `marks` of these metrics' `score_marks`, in any order and repetition.
        hashed: UInt64 from `image`, by which the two are joined. The strings are then compared,
            so that of two images with one hash neither hides the other.

    Returns: as `pending`.
    """
    named = [pl.when(pl.col("lack") & (1 << i) != 0).then(pl.lit(m)) for i, m in enumerate(metrics)]
    names = pl.concat_list(named).list.drop_nulls() if named else pl.lit([], pl.List(pl.String))
    every = np.uint64((1 << len(metrics)) - 1)
    lack = every & ~_marks_of(images, marks, hashed)
    return (
        images.select(ADDRESS)
        .with_columns(lack=lack)
        .filter(lack != 0)
        .with_columns(metrics=names)
        .drop("lack")
        .sort("image_key")
    )


def _marks_of(images: pl.DataFrame, marks: pl.DataFrame, hashed: pl.Expr) -> np.ndarray:
    """The marks of each image at its version, (images,) uint64; 0 where there is none."""
    images, marks = images.select(IMAGE).rechunk(), marks.rechunk()  # gathers from many are slow
    mine = images.select(hash=hashed).with_row_index("row")
    theirs = marks.select(hash=hashed).with_row_index("mark")
    pairs = mine.join(theirs, on="hash", how="left", maintain_order="left")
    one_each = pairs.height == images.height
    image = images["image"] if one_each else images["image"].gather(pairs["row"])
    same = image == marks["image"].gather(pairs["mark"])
    rows = pairs["row"].filter(same).to_numpy()
    bits = marks["marks"].gather(pairs["mark"].filter(same)).to_numpy()
    found = np.zeros(images.height, np.uint64)
    for value in marks["marks"].unique():  # few: the metrics that have done a unit together
        found[rows[bits == value]] |= np.uint64(value)
    return found


def pass_seconds(left: pl.DataFrame, seconds_per_image: dict[str, float]) -> float:
    """The estimated time of a pass over pending rows, in seconds of one worker."""
    cost = pl.col("metrics").replace_strict(seconds_per_image, return_dtype=pl.Float64)
    metrics = left.select(pl.col("metrics").explode(empty_as_null=False))
    return float(metrics.select(cost.sum()).item())
