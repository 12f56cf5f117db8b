"""The funnel of a prefilter: what each reason met, hit and decided, in the order of judgement."""

from collections.abc import Sequence

import polars as pl

from dataproc_assets.transforms.eligibility import NO_IMAGE, NO_RECORD
from dataproc_assets.transforms.prefilter import NOT_SCORED, UNDECODABLE

HITS_SCHEMA = pl.Schema(
    {"stage": pl.String, "reason": pl.String, "hits": pl.Int64, "decided": pl.Int64}
)
FUNNEL_SCHEMA = pl.Schema(
    {
        "stage": pl.String,
        "reason": pl.String,
        "reached": pl.Int64,
        "hits": pl.Int64,
        "decided": pl.Int64,
        "left": pl.Int64,
    }
)
INTAKE, SCORING, RULES = "intake", "scoring", "prefilter"


def rule_hits(judged: pl.LazyFrame) -> pl.LazyFrame:
    """HITS_SCHEMA of prefiltered rows, in no order: by stage and reason, how many rows it hit,
    also of those that another dropped, and of how many it is the first reason.

    A rule may have one name at intake and after scoring, hence the stage. The hits of parts of
    the rows may be put together by `rule_funnel`.
    """
    at_intake = pl.col("intake_drops").fill_null([]).list.len().cast(pl.Int64)
    listed = (
        judged.filter(pl.col("drop_reasons").list.len() > 0)
        .select(
            reason="drop_reasons",
            place=pl.int_ranges(0, pl.col("drop_reasons").list.len(), dtype=pl.Int64),
            at_intake=at_intake,
        )
        .explode("reason", "place")
    )
    unscored = pl.col("reason").str.starts_with(UNDECODABLE) | pl.col("reason").is_in(
        [NO_IMAGE, NOT_SCORED]
    )
    stage = (
        pl.when(pl.col("place") < pl.col("at_intake"))
        .then(pl.lit(INTAKE))
        .when(unscored)
        .then(pl.lit(SCORING))
        .otherwise(pl.lit(RULES))
    )
    return (
        listed.group_by(stage.alias("stage"), "reason")
        .agg(hits=pl.len(), decided=(pl.col("place") == 0).sum())
        .cast(HITS_SCHEMA)
    )


def rule_funnel(
    hits: pl.DataFrame, rows: int, intake: Sequence[str], rules: Sequence[str]
) -> pl.DataFrame:
    """FUNNEL_SCHEMA in the order of judgement; `reached` of the first line is `rows`.

    A line says how many rows no reason before it dropped (`reached`), how many it hit among all
    rows (`hits`), how many it is the first to drop (`decided`), and how many are then `left`: of
    the last line that is what is kept.

    Args:
        hits: the `rule_hits` of all parts of the rows.
        rows: how many rows were judged.
        intake: the names of the source's own rules, in their order.
        rules: the names of the rules after scoring, in their order.

    Rules that hit nothing are told too. Reasons that no rule is named after (of an intake under
    other rules, of kinds of damage) stand by name at the end of their stage.
    """
    known = [(INTAKE, name) for name in (NO_IMAGE, NO_RECORD, *intake)]
    known += [(SCORING, NO_IMAGE), (SCORING, NOT_SCORED)]
    known += [(RULES, name) for name in rules]
    order = {INTAKE: 0, SCORING: 1, RULES: 2}
    lines = pl.DataFrame(known, schema=["stage", "reason"], orient="row").with_row_index("place")
    return (
        hits.group_by("stage", "reason")
        .sum()
        .join(lines, on=["stage", "reason"], how="full", coalesce=True)
        .with_columns(pl.col("hits", "decided").fill_null(0))
        .sort(pl.col("stage").replace_strict(order), "place", "reason", nulls_last=True)
        .with_columns(left=rows - pl.col("decided").cum_sum())
        .with_columns(reached=pl.col("left") + pl.col("decided"))
        .select(FUNNEL_SCHEMA.names())
        .cast(FUNNEL_SCHEMA)
    )
