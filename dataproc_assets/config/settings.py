"""What decides which images a release holds, as plain values that a manifest keeps."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.config.dedup import DedupConfig
from dataproc_assets.config.passes import part_fingerprint
from dataproc_assets.config.project import Project
from dataproc_assets.config.recipes import RecipeConfig

M = TypeVar("M", bound=BaseModel)
TABLES = ("aliases", "implications")  # of tags: long, and told by their digest
Settings = dict[str, Any]
Leaf = tuple[str, ...]


def settings(project: Project) -> Settings:
    """Curation, dedup, trust, rules of intake, recipes, and the fingerprint of each metric.

    Rules stand by their names. Lists of people and words are in no manifest: of safety.yaml, and
    of the tables of tags, there is a digest.
    """
    curation = project.curation.model_dump(mode="json")
    curation["prefilter"] = _by_name(curation["prefilter"])
    for table in TABLES:
        curation["merge"][table] = _digest(curation["merge"][table])
    sources = sorted(project.sources.items())
    decode = project.profile.decode
    return {
        "curation": curation,
        "dedup": project.dedup.model_dump(mode="json"),
        "trust": {name: source.trust.model_dump(mode="json") for name, source in sources},
        "todo": {
            name: _by_name([rule.model_dump(mode="json") for rule in source.prefilter])
            for name, source in sources
        },
        "prompts": {n: r.model_dump(mode="json") for n, r in sorted(project.recipes.items())},
        "metrics": {n: part_fingerprint(m, decode) for n, m in sorted(project.metrics.items())},
        "safety": _digest(project.safety.model_dump(mode="json", exclude={"balance"})),
    }


def with_settings(project: Project, kept: Settings) -> Project:
    """The project with the curation, dedup, trust and recipes that a manifest kept.

    Tables of tags, safety, models and the rules of intake stay the project's own: a manifest has
    their digests alone, or they decided what was scored.

    Raises pydantic.ValidationError where the code knows these settings no more.
    """
    curation = deepcopy(kept["curation"])
    curation["prefilter"] = list(curation["prefilter"].values())
    own = project.curation.model_dump(mode="json")["merge"]
    curation["merge"] |= {table: own[table] for table in TABLES}
    sources = {
        name: source.model_copy(update={"trust": _read(type(source.trust), kept["trust"][name])})
        if name in kept["trust"]
        else source
        for name, source in project.sources.items()
    }
    recipes = {
        name: _read(RecipeConfig, kept["prompts"][name]) if name in kept["prompts"] else recipe
        for name, recipe in project.recipes.items()
    }
    return replace(
        project,
        curation=_read(CurationConfig, curation),
        dedup=_read(DedupConfig, kept["dedup"]),
        sources=sources,
        recipes=recipes,
    )


def leaves(values: Mapping[str, Any], above: Leaf = ()) -> Iterator[tuple[Leaf, Any]]:
    """The path and the value of all that is no mapping."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name), value


def changed(one: Settings, other: Settings) -> list[tuple[Leaf, Any, Any]]:
    """The paths whose values differ, with both, sorted; None for one that is not there."""
    first, second = dict(leaves(one)), dict(leaves(other))
    return [
        (path, first.get(path), second.get(path))
        for path in sorted({*first, *second})
        if first.get(path) != second.get(path)
    ]


def put(values: Settings, path: Leaf, value: Any) -> Settings:
    """A copy with another value at a path; None takes it away."""
    copy = deepcopy(values)
    inner = copy
    for name in path[:-1]:
        inner = inner.setdefault(name, {})
    if value is None:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return copy


def _read(model: type[M], values: Any) -> M:
    """A model of values as JSON has them: a day is a text there."""
    return model.model_validate_json(json.dumps(values))


def _by_name(rules: list[dict[str, Any]]) -> dict[str, Any]:
    return {rule["name"]: rule for rule in rules}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
