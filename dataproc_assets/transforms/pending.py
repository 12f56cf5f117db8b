"""The difference that is `todo`: what is eligible now and not yet scored."""

import polars as pl


def pending(
    eligible: pl.LazyFrame, inventory: pl.LazyFrame, scored: dict[str, pl.LazyFrame]
) -> pl.LazyFrame:
    """Eligible images that lack a metric, with their address and the metrics each lacks.

    Args:
        eligible: `image_key`, `intake_drop`; eligible is who has no drop.
        inventory: `image_key`, `version` and the address.
        scored: metric -> `image_key`, `version` of the rows in its parts that are done, which is
            ok or failed for good.

    Returns: `image_key`, `version`, `uri`, `offset`, `length`, `metrics` (sorted names), by key.
    """
    images = (
        eligible.filter(pl.col("intake_drop").is_null())
        .select("image_key")
        .join(inventory, on="image_key")
        .select("image_key", "version", "uri", "offset", "length")
    )
    lacking = [
        images.join(done, on=["image_key", "version"], how="anti").with_columns(
            metric=pl.lit(metric)
        )
        for metric, done in sorted(scored.items())
    ]
    if not lacking:
        return images.clear().with_columns(metrics=pl.lit([], pl.List(pl.String)))
    address = ["image_key", "version", "uri", "offset", "length"]
    return (
        pl.concat(lacking)
        .group_by(address)
        .agg(metrics=pl.col("metric").unique().sort())
        .sort("image_key")
    )


def pass_seconds(left: pl.DataFrame, seconds_per_image: dict[str, float]) -> float:
    """The estimated time of a pass over pending rows, in seconds of one worker."""
    cost = pl.col("metrics").replace_strict(seconds_per_image, return_dtype=pl.Float64)
    metrics = left.select(pl.col("metrics").explode(empty_as_null=False))
    return float(metrics.select(cost.sum()).item())
