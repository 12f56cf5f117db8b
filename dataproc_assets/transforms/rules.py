"""Rules of the configuration as expressions: every row is judged, none is removed."""

from collections.abc import Sequence
from functools import reduce

import polars as pl

from dataproc_assets.config import rules as config


def _condition(rule: config.ConditionConfig | config.RuleConfig) -> pl.Expr:
    """The bare condition, null where the column is unknown."""
    column = pl.col(rule.column)
    match rule:
        # NaN sorts above every number, so an unguarded comparison would let it pass. A bare value
        # takes the column's type: as Float64, a Float32 score of 0.8 would be more than 0.8.
        case config.AtLeast():
            return column.fill_nan(None) >= rule.value
        case config.AtMost():
            return column.fill_nan(None) <= rule.value
        case config.OneOf():
            return column.is_in(rule.values)
        case config.NoneOf():
            return ~column.is_in(rule.values)
        case config.HasAny():
            return _any_in(column, rule.values)
        case config.HasNone():
            return ~_any_in(column, rule.values)
        case config.IsTrue():
            return column.cast(pl.Boolean)
        case config.IsFalse():
            return ~column.cast(pl.Boolean)
        case config.Matches():
            return column.str.contains(rule.regex)
        case config.MatchesNot():
            return ~column.str.contains(rule.regex)
        case config.IsKnown():
            return column.is_not_null()
        case config.IsUnknown():
            return column.is_null()
    raise TypeError(f"no expression for {type(rule).__name__}")


def _any_in(column: pl.Expr, values: Sequence[str] | Sequence[int]) -> pl.Expr:
    return pl.any_horizontal(column.list.contains(pl.lit(value)) for value in values)


def rule_expression(rule: config.RuleConfig) -> pl.Expr:
    """Boolean named after the rule, never null: true where the row passes.

    A row to which `rule.when` does not apply passes; on an unknown value `rule.missing` decides.
    """
    passes = _condition(rule).fill_null(rule.missing == "keep")
    if not rule.when:
        return passes.alias(rule.name)
    applies = reduce(pl.Expr.and_, (_condition(part).fill_null(False) for part in rule.when))
    return (~applies | passes).alias(rule.name)


def rule_columns(rules: Sequence[config.RuleConfig]) -> set[str]:
    """The columns that rules read, of their conditions too."""
    return {part.column for rule in rules for part in (rule, *rule.when)}


def apply_rules(
    lf: pl.LazyFrame,
    rules: Sequence[config.RuleConfig],
    keep: str = "keep",
    reason: str = "drop_reason",
    reasons: str = "drop_reasons",
) -> pl.LazyFrame:
    """Add `keep` bool, `reason` str|null (the first failing rule) and `reasons` list[str] (all).

    Reasons stand in the order of `rules`. Raises ValueError when a rule reads a column that the
    table does not have.
    """
    known = lf.collect_schema().names()
    for rule in rules:
        for part in (rule, *rule.when):
            if part.column not in known:
                raise ValueError(
                    f"rule {rule.name!r} reads column {part.column!r}, which this table does not "
                    f"have; it has: {', '.join(sorted(known))}"
                )
    failed = [
        pl.when(~rule_expression(rule)).then(pl.lit(rule.name, dtype=pl.String)) for rule in rules
    ]
    listed = (
        pl.concat_list(failed).list.drop_nulls() if failed else pl.lit([], dtype=pl.List(pl.String))
    )
    return lf.with_columns(listed.alias(reasons)).with_columns(
        (pl.col(reasons).list.len() == 0).alias(keep),
        pl.col(reasons).list.first().alias(reason),
    )
