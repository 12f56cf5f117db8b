"""Keep or drop after scoring: every row is judged and none is removed."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.config.rules import RuleConfig
from dataproc_assets.transforms.eligibility import NO_IMAGE
from dataproc_assets.transforms.namespace import strip_namespace
from dataproc_assets.transforms.rules import apply_rules

NOT_SCORED = "not_scored"
UNDECODABLE = "undecodable"
_COMPUTED = ("pixels", "aspect")


def prefilter(merged: pl.LazyFrame, source: str, rules: Sequence[RuleConfig]) -> pl.LazyFrame:
    """Add `keep` bool, `drop_reason` str|null (the first) and `drop_reasons` list[str] (all).

    Reasons at intake come first and as they are, then `no_image`, `not_scored` or
    `undecodable: {kind of error}`; the rules are asked only where the metrics are there. Rules
    name columns without the `{source}__` prefix, and `pixels` (width x height) and `aspect`
    (width / height) of the decoded image. Raises ValueError for a rule on an unknown column.
    """
    names = merged.collect_schema().names()
    prefix = f"{source}__"
    width, height = pl.col("pixels_width").cast(pl.Int64), pl.col("pixels_height").cast(pl.Int64)
    view = strip_namespace(merged, source).with_columns(
        (width * height).alias("pixels"), (width / height).alias("aspect")
    )
    judged = apply_rules(view, rules, keep="keep", reason="drop_reason", reasons="drop_reasons")
    scored = (pl.col("metrics_status") == "ok").fill_null(False)
    kind = pl.col("metrics_error").str.split(":").list.first().fill_null("unknown error")
    unscored = (
        pl.when(~pl.col("has_image").fill_null(False))
        .then(pl.lit(NO_IMAGE))
        .when(pl.col("metrics_status") == "failed")
        .then(pl.format(UNDECODABLE + ": {}", kind))
        .otherwise(pl.lit(NOT_SCORED))
    )
    at_intake = pl.col("intake_drops").fill_null([])
    passed_intake = pl.col("intake_drop").is_null()
    later = (
        pl.when(scored)
        .then(pl.col("drop_reasons"))
        .when(passed_intake)
        .then(pl.concat_list(unscored))
        .otherwise(pl.lit([], dtype=pl.List(pl.String)))
    )
    reasons = pl.concat_list(at_intake, later)
    first = pl.coalesce(pl.col("intake_drop"), pl.col("drop_reasons").list.first())
    back = {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
    return (
        judged.with_columns(reasons.alias("drop_reasons"))
        .with_columns(first.alias("drop_reason"))
        .with_columns(pl.col("drop_reason").is_null().alias("keep"))
        .drop(*_COMPUTED)
        .rename(back)
        .select(*names, "keep", "drop_reason", "drop_reasons")
    )
