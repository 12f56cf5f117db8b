"""A rule of the YAML beside the value that it was asked of."""

from typing import Any

import polars as pl

from dataproc_assets.config import rules as config

SIGNS = {"at_least": ">=", "at_most": "<="}


def asked(rule: config.RuleConfig, row: dict[str, Any], hits: list[str]) -> dict[str, Any]:
    """A rule as a dict: `rule`, `column`, `value`, `keeps` (its condition as text), `hit`.

    Args:
        row: the columns that rules may read, without namespace; one that is not there is null.
        hits: the names of the rules that held against the row, as the stage found them.
    """
    value = row.get(rule.column)
    told = {"rule": rule.name, "column": rule.column, "value": value, "keeps": condition(rule)}
    if rule.when:
        told["when"] = " and ".join(condition(part) for part in rule.when)
    return {**told, "hit": rule.name in hits}


def condition(rule: config.RuleConfig | config.ConditionConfig) -> str:
    """What a row must say to pass, as a person would write it: `clip_score >= 1.2`."""
    values = rule.model_dump(include={"value", "values", "regex"})
    said = next(iter(values.values()), None)
    if rule.keep in SIGNS:
        return f"{rule.column} {SIGNS[rule.keep]} {said}"
    words = rule.keep.replace("_", " ")
    if isinstance(said, list):
        return f"{rule.column} {words} {', '.join(map(str, said))}"
    return f"{rule.column} {words}" + (f" {said}" if said is not None else "")


def with_sizes(row: dict[str, Any]) -> dict[str, Any]:
    """A row with what the prefilter computes of the decoded image: `pixels`, `aspect`."""
    width, height = row.get("pixels_width"), row.get("pixels_height")
    if not width or not height:
        return row
    return {**row, "pixels": width * height, "aspect": width / height}


def values(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is unknown and what is empty."""
    return {name: value for name, value in row.items() if value is not None and value != []}


def first(rows: pl.DataFrame) -> dict[str, Any]:
    """The only row of a frame, or of none an empty dict."""
    return rows.row(0, named=True) if rows.height else {}
