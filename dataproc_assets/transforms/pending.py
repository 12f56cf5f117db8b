"""The difference that is `todo`: what is eligible now and not yet scored.

The frames may be a whole source or one partition of it by key; the result of a partition is the
part of the whole result that has its keys.
"""

import polars as pl

IMAGE = ["image_key", "version"]
ADDRESS = [*IMAGE, "uri", "offset", "length"]
MARKS = pl.Schema({"image_key": pl.String, "version": pl.String, "marks": pl.UInt64})


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
    """What metrics have done, in MARKS.

    `marks` has a bit for each metric, in the order of their names. Metrics that have done the
    same rows in the same order, as one pass over one unit does, share these rows; other
    repetitions stay, each with its own bits.
    """
    different: list[tuple[pl.DataFrame, int]] = []
    for place, metric in enumerate(sorted(scored)):
        rows, bit = scored[metric].select(IMAGE), 1 << place
        for number, (other, bits) in enumerate(different):
            if rows.equals(other):
                different[number] = (other, bits | bit)
                break
        else:
            different.append((rows, bit))
    marked = [rows.with_columns(marks=pl.lit(bits, pl.UInt64)) for rows, bits in different]
    return pl.concat([MARKS.to_frame(), *marked])


def lacking(images: pl.DataFrame, marks: pl.DataFrame, metrics: list[str]) -> pl.DataFrame:
    """Images that lack one of `metrics`, by key, with those that each lacks.

    Args:
        images: `image_key`, `version` and the address.
        marks: these metrics' `score_marks`, in any order and repetition.

    Returns: as `pending`.
    """
    every = (1 << len(metrics)) - 1
    has_all = pl.col("marks") == every
    # most images have all their metrics from one pass: who does not is looked at more closely
    rest = images.select(ADDRESS).join(marks.filter(has_all), on=IMAGE, how="anti")
    some = marks.filter(~has_all).join(rest, on=IMAGE, how="semi")
    known = some.group_by(IMAGE).agg(pl.col("marks").bitwise_or())
    lack = pl.lit(every, pl.UInt64) ^ pl.col("marks").fill_null(0)
    named = [pl.when(pl.col("lack") & (1 << i) != 0).then(pl.lit(m)) for i, m in enumerate(metrics)]
    names = pl.concat_list(named).list.drop_nulls() if named else pl.lit([], pl.List(pl.String))
    return (
        rest.join(known, on=IMAGE, how="left")
        .with_columns(lack=lack)
        .filter(pl.col("lack") != 0)
        .select(*ADDRESS, metrics=names)
        .sort("image_key")
    )


def pass_seconds(left: pl.DataFrame, seconds_per_image: dict[str, float]) -> float:
    """The estimated time of a pass over pending rows, in seconds of one worker."""
    cost = pl.col("metrics").replace_strict(seconds_per_image, return_dtype=pl.Float64)
    metrics = left.select(pl.col("metrics").explode(empty_as_null=False))
    return float(metrics.select(cost.sum()).item())
