"""Reading YAML into a model; an error names the file, the line and the nearest right name."""

import difflib
import re
import types
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from dataproc_assets.config.weights import PLACE, File, Folder

T = TypeVar("T")
Location = tuple[str | int, ...]
BOOL = "tag:yaml.org,2002:bool"


class ConfigError(Exception):
    """The configuration is wrong; each line of the message is `file:line: what`."""


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, and to which `on` and `no` are words."""

    yaml_implicit_resolvers: ClassVar = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A node's value; one that has none, such as 2026-13-01, is an error with its line."""
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from error


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    seen: set[str] = set()
    for key in keys:
        if key.value in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key '{key.value}' is given twice", problem_mark=key.start_mark
            )
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_implicit_resolver(BOOL, re.compile("^(?:true|false)$"), list("tf"))
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_yaml(path: Path, model: Any) -> Any:
    """The file's content as the pydantic model or union `model`; its files know their place.

    The context of its validators is the file's folder, where what it names is looked for.

    Raises ConfigError for a missing file, bad YAML, an unknown key, a wrong type or a value
    outside its range.
    """
    name = short_path(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        value = yaml.load(text, Loader=_Loader)
    except FileNotFoundError:
        raise ConfigError(f"{name}: there is no such file{_nearest_file(path)}") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{name}{line}: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: not readable as YAML: {error}") from None
    try:
        return _with_places(
            TypeAdapter(model).validate_python(value, context=path.parent), node, name
        )
    except ValidationError as error:
        # a misspelt key is a missing one too: what is misspelt is said first
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        lines = [
            f"{name}:{_line(node, _location(detail))}: {_say(detail, model, node)}"
            for detail in faults
        ]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None


def _with_places(value: Any, node: yaml.Node | None, name: str, location: Location = ()) -> Any:
    """A validated value in which every file of a model says where in the YAML it stands."""
    if isinstance(value, File | Folder):
        if PLACE in value.model_fields_set:
            known = ", ".join(sorted(type(value).model_fields.keys() - {PLACE}))
            line = _line(node, (*location, PLACE))
            raise ConfigError(f"{name}:{line}: unknown key '{PLACE}' (known here: {known})")
        return value.model_copy(update={PLACE: f"{name}:{_line(node, location)}"})
    inner: dict[Any, Any]
    if isinstance(value, BaseModel):
        inner = {field: getattr(value, field) for field in type(value).model_fields}
    elif isinstance(value, dict | list):
        inner = dict(value.items() if isinstance(value, dict) else enumerate(value))
    else:
        return value
    placed = {key: _with_places(item, node, name, (*location, key)) for key, item in inner.items()}
    changed = {key: item for key, item in placed.items() if item is not inner[key]}
    if not changed:
        return value
    if isinstance(value, BaseModel):
        return value.model_copy(update=changed)
    return placed if isinstance(value, dict) else list(placed.values())


def short_path(path: Path) -> str:
    """The path from `conf/` on: what a person edits, wherever the package is installed."""
    _, conf, below = path.as_posix().rpartition("/conf/")
    return f"conf/{below}" if conf else str(path)


def _nearest_file(path: Path) -> str:
    names = [other.name for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    if near:
        return f" (did you mean '{near[0]}'?)"
    return f"; there are {', '.join(sorted(names))}" if names else ""


def _line(node: yaml.Node | None, location: Location) -> int:
    """The line of the deepest node that the error's location reaches."""
    steps = _steps(node, location)
    return steps[-1][1].start_mark.line + 1 if steps else 1


def _steps(node: yaml.Node | None, location: Location) -> list[tuple[str | int, yaml.Node]]:
    """The parts of a location that stand in the file, each with its node: a key or an item.

    The others are pydantic's own: the tag that chose a model of a union, or a validator.
    """
    steps: list[tuple[str | int, yaml.Node]] = []
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if found:
                steps.append((part, found[0][0]))
                node = found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            item: yaml.Node = node.value[part]
            steps.append((part, item))
            node = item
    return steps


def _location(detail: Any) -> Location:
    """Where an error is: a model may say which entry below it is wrong."""
    error = detail.get("ctx", {}).get("error")
    return (*detail["loc"], *getattr(error, "entry", ()))


def _say(detail: Any, model: Any, node: yaml.Node | None) -> str:
    location = _location(detail)
    where = ".".join(str(part) for part, _ in _steps(node, location))
    if detail["type"] == "extra_forbidden":
        wrong = str(location[-1])
        names = sorted(_fields(model, location[:-1]))
        near = difflib.get_close_matches(wrong, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(names)}"
        return f"unknown key '{wrong}' ({hint})"
    if detail["type"] == "missing":
        return f"the key '{f'{where}.' if where else ''}{location[-1]}' is missing"
    given = detail.get("input")
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where}: {message}{shown}" if where else f"{message}{shown}"


def _fields(model: Any, location: Location) -> set[str]:
    """The field names that are right at a location, over all models a union may mean there."""
    models = _models(model)
    for part in location:
        narrowed = [m for m in models if _tagged(m, part)]
        if narrowed:
            models = narrowed
            continue
        models = [
            inner
            for outer in models
            for inner in _models(
                outer.model_fields[str(part)].annotation
                if str(part) in outer.model_fields
                else None
            )
        ] or models
    return {name for m in models for name in m.model_fields} - {PLACE}


def _tagged(model: type[BaseModel], part: str | int) -> bool:
    """Whether a part of a location is the tag by which a union chooses this model."""
    return any(part in get_args(field.annotation) for field in model.model_fields.values())


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType) or get_args(annotation):
        return [model for inner in get_args(annotation) for model in _models(inner)]
    return []
