"""Rules that keep or drop a row: what stands under `prefilter:` and `rules:` in YAML."""

from typing import Annotated, Literal

import polars as pl
from polars.exceptions import ComputeError
from pydantic import AfterValidator, Field

from dataproc_assets.config.base import StrictModel


def checked_regex(pattern: str) -> str:
    """Return `pattern` if the engine that will run it (Rust's `regex`) compiles it.

    Raises ValueError with the engine's own message, e.g. for look-around, which it lacks.
    """
    try:
        pl.Series([""]).str.contains(pattern)
    except ComputeError as error:
        raise ValueError(f"not a regular expression of the engine used here: {error}") from error
    return pattern


Regex = Annotated[str, Field(min_length=1), AfterValidator(checked_regex)]
Values = Annotated[list[str] | list[int], Field(min_length=1)]


class _OnColumn(StrictModel):
    column: str = Field(min_length=1)


class AtLeast(_OnColumn):
    """Holds where the number is `value` or more."""

    keep: Literal["at_least"]
    value: float


class AtMost(_OnColumn):
    """Holds where the number is `value` or less."""

    keep: Literal["at_most"]
    value: float


class OneOf(_OnColumn):
    """Holds where the scalar is one of `values`."""

    keep: Literal["one_of"]
    values: Values


class NoneOf(_OnColumn):
    """Holds where the scalar is none of `values`."""

    keep: Literal["none_of"]
    values: Values


class HasAny(_OnColumn):
    """Holds where the list contains at least one of `values`."""

    keep: Literal["has_any"]
    values: Values


class HasNone(_OnColumn):
    """Holds where the list contains none of `values`."""

    keep: Literal["has_none"]
    values: Values


class IsTrue(_OnColumn):
    """Holds where the boolean is true."""

    keep: Literal["is_true"]


class IsFalse(_OnColumn):
    """Holds where the boolean is false."""

    keep: Literal["is_false"]


class Matches(_OnColumn):
    """Holds where `regex` is found anywhere in the text; anchor it for a whole match."""

    keep: Literal["matches"]
    regex: Regex


class MatchesNot(_OnColumn):
    """Holds where `regex` is found nowhere in the text."""

    keep: Literal["matches_not"]
    regex: Regex


class IsKnown(_OnColumn):
    """Holds where the value is not null; only for `when`."""

    keep: Literal["is_known"]


class IsUnknown(_OnColumn):
    """Holds where the value is null; only for `when`."""

    keep: Literal["is_unknown"]


ConditionConfig = Annotated[
    AtLeast
    | AtMost
    | OneOf
    | NoneOf
    | HasAny
    | HasNone
    | IsTrue
    | IsFalse
    | Matches
    | MatchesNot
    | IsKnown
    | IsUnknown,
    Field(discriminator="keep"),
]


class _Rule(StrictModel):
    """`name` is the drop reason; `missing` says what an unknown value (null or NaN) does.

    The rule applies only to rows for which all of `when` holds. A condition on an unknown value
    does not hold, so the rule does not apply there; `missing` speaks of the rule's own column.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")
    missing: Literal["keep", "drop"]
    when: list[ConditionConfig] = Field(default_factory=list)


class AtLeastRule(_Rule, AtLeast):
    """Keeps rows with a number of `value` or more."""


class AtMostRule(_Rule, AtMost):
    """Keeps rows with a number of `value` or less."""


class OneOfRule(_Rule, OneOf):
    """Keeps rows whose scalar is one of `values`."""


class NoneOfRule(_Rule, NoneOf):
    """Keeps rows whose scalar is none of `values`."""


class HasAnyRule(_Rule, HasAny):
    """Keeps rows whose list contains at least one of `values`."""


class HasNoneRule(_Rule, HasNone):
    """Keeps rows whose list contains none of `values`."""


class IsTrueRule(_Rule, IsTrue):
    """Keeps rows whose boolean is true."""


class IsFalseRule(_Rule, IsFalse):
    """Keeps rows whose boolean is false."""


class MatchesRule(_Rule, Matches):
    """Keeps rows whose text holds a match of `regex`."""


class MatchesNotRule(_Rule, MatchesNot):
    """Keeps rows whose text holds no match of `regex`."""


RuleConfig = Annotated[
    AtLeastRule
    | AtMostRule
    | OneOfRule
    | NoneOfRule
    | HasAnyRule
    | HasNoneRule
    | IsTrueRule
    | IsFalseRule
    | MatchesRule
    | MatchesNotRule,
    Field(discriminator="keep"),
]


def _unique_names(rules: list[RuleConfig]) -> list[RuleConfig]:
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"rule names used twice: {', '.join(twice)}; a drop reason must be unique")
    return rules


RuleList = Annotated[list[RuleConfig], AfterValidator(_unique_names)]
