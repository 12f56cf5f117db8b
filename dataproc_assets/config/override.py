"""A project with one setting changed: `prefiltered.clip_score=1.0`, `dedup.cosine=0.96`."""

import difflib
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from dataproc_assets.config.project import Project

M = TypeVar("M", bound=BaseModel)
PLACES = ("prefiltered", "augmented", "dedup", "images", "trust", "prompts", "release")


class OverrideError(ValueError):
    """There is no such setting, or it cannot have that value; the message says what there is."""


def overridden(project: Project, setting: str) -> Project:
    """The project with a setting, `place.name…=value`, in place of the YAML's.

    Places are stages: `prefiltered.{rule or column}` is the rule's value, `augmented.…` and
    `images.…` are the sections `augment` and `merge` of curation.yaml, `dedup.…` is dedup.yaml,
    `trust.{source}.{field}`, `prompts.{recipe}.…` and `release.{name}.…` are files of their own.
    The value is read as YAML.

    Raises OverrideError.
    """
    path, sign, text = setting.partition("=")
    place, *names = path.strip().split(".")
    if not sign or not names:
        raise OverrideError(
            f"'{setting}' is no setting: write place.name=value, as dedup.cosine=0.96"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise OverrideError(f"'{setting}': '{text}' is no value of YAML") from None
    curation = project.curation
    match _known(place, PLACES, "place", setting):
        case "prefiltered":
            rules = _rules(project, names, value, setting)
            return replace(project, curation=curation.model_copy(update={"prefilter": rules}))
        case "augmented":
            part = _changed(curation.augment, names, value, setting)
            return replace(project, curation=curation.model_copy(update={"augment": part}))
        case "images":
            part = _changed(curation.merge, names, value, setting)
            return replace(project, curation=curation.model_copy(update={"merge": part}))
        case "dedup":
            return replace(project, dedup=_changed(project.dedup, names, value, setting))
        case "trust":
            return replace(project, sources=_of(project.sources, ["trust"], names, value, setting))
        case "prompts":
            return replace(project, recipes=_of(project.recipes, [], names, value, setting))
        case _:
            return replace(project, releases=_of(project.releases, [], names, value, setting))


def _rules(project: Project, names: list[str], value: Any, setting: str) -> list[Any]:
    """The prefilter's rules with the value of one, which is named by itself or by its column."""
    rules, name = project.curation.prefilter, ".".join(names)
    known = [*(rule.name for rule in rules), *(rule.column for rule in rules)]
    _known(name, known, "rule or column", setting)
    named = [n for n, rule in enumerate(rules) if rule.name == name] or [
        n for n, rule in enumerate(rules) if rule.column == name
    ]
    if len(named) > 1:
        several = ", ".join(rules[n].name for n in named)
        raise OverrideError(f"'{setting}': several rules read {name}; name one of {several}")
    rule = rules[named[0]]
    field = next((f for f in ("value", "values", "regex") if f in type(rule).model_fields), None)
    if field is None:
        raise OverrideError(f"'{setting}': the rule {rule.name} has no value to change")
    changed = _changed(rule, [field], value, setting)
    return [changed if n == named[0] else other for n, other in enumerate(rules)]


def _of(
    models: dict[str, M], inside: list[str], names: list[str], value: Any, setting: str
) -> dict[str, M]:
    name = _known(names[0], models, "name", setting)
    return {**models, name: _changed(models[name], [*inside, *names[1:]], value, setting)}


def _changed(model: M, names: list[str], value: Any, setting: str) -> M:
    """A model with the value at a path of names in place of its own, validated again."""
    whole = model.model_dump()
    inner: Any = whole
    for depth, name in enumerate(names):
        if not isinstance(inner, dict):
            raise OverrideError(f"'{setting}': {names[depth - 1]} has nothing below it")
        _known(name, inner, "name", setting)
        if depth < len(names) - 1:
            inner = inner[name]
    if not names:
        raise OverrideError(f"'{setting}': say which of {', '.join(sorted(whole))}")
    inner[names[-1]] = value
    try:
        return type(model).model_validate(whole)
    except ValidationError as error:
        first = error.errors()[0]
        raise OverrideError(f"'{setting}': {first['msg']}") from None


def _known(name: str, names: Iterable[str], kind: str, setting: str) -> str:
    there = sorted({*names})
    if name not in there:
        near = difflib.get_close_matches(name, there, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(there)}"
        raise OverrideError(f"'{setting}': no {kind} '{name}' ({hint})")
    return name
