"""Tables of other names of tags and of what tags imply, from YAML and from CSV below conf/."""

import csv
import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dataproc_assets.config.yaml import ConfigError, short_path

DUMP = ("antecedent_name", "consequent_name")  # of danbooru's own tables
HEADERS = {"aliases": ("alias", "name"), "implications": ("tag", "implies")}


class EntryError(ValueError):
    """An error of an entry below the model that raises it; `read_yaml` gives the entry's line."""

    def __init__(self, message: str, *entry: str) -> None:
        super().__init__(message)
        self.entry = entry


class Row(NamedTuple):
    """One line of a CSV table."""

    first: str
    second: str
    place: str


def read_tables(merge: Any, conf: Path | None) -> dict[str, list[Row]]:
    """The lines of the CSV files that `merge` names, by the key they join.

    None where there is no folder to look in: values that were read once already have the lines.
    """
    if conf is None or not isinstance(merge, dict):
        return {}
    named = {table: merge.get(f"{table}_csv") for table in HEADERS}
    return {table: csv_rows(table, name, conf) for table, name in named.items() if name}


def joined(merge: Any, rows: Mapping[str, Sequence[Row]]) -> Any:
    """The values of `merge` with the lines of its files.

    Raises ConfigError, with the line, where a line says what `merge` itself says, or another thing.
    """
    tables: dict[str, dict[str, Any]] = {}
    for table, lines in rows.items():
        own = merge.get(table) or {}
        if not isinstance(own, dict):
            return merge
        for row in lines:
            if row.first in own:
                raise ConfigError(
                    f"{row.place}: '{row.first}' is given in curation.yaml, "
                    f"merge.{table}, already (keep one of them)"
                )
        tables[table] = dict(own)
        for row in lines:
            if table == "aliases":
                tables[table][row.first] = row.second
            else:
                tables[table].setdefault(row.first, []).append(row.second)
    return {**merge, **tables} if tables else merge


def refuse(table: str, name: str, fault: str, rows: Mapping[str, Sequence[Row]]) -> NoReturn:
    """Raise a fault of an entry at its place: in a file's line, or in the YAML."""
    for row in rows.get(table, ()):
        if row.first == name:
            raise ConfigError(f"{row.place}: {fault}")
    raise EntryError(fault, table, name)


def csv_rows(table: str, name: str, conf: Path) -> list[Row]:
    """The lines of the CSV file `name` below `conf`, without those that are not in force.

    Raises EntryError where there is no such file; ConfigError, with the line, for a wrong
    header, a missing name, a spelling that no tag has, and what is given twice.
    """
    path = (conf / name).resolve()
    if not path.is_relative_to(conf.resolve()) or not path.is_file():
        names = [other.relative_to(conf).as_posix() for other in sorted(conf.rglob("*.csv"))]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise EntryError(f"there is no such file below conf/{hint}", f"{table}_csv")
    shown, rows = short_path(path), list[Row]()
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file, strict=True)
        header = lines.fieldnames or []
        names = next((pair for pair in (HEADERS[table], DUMP) if set(pair) <= set(header)), None)
        if names is None:
            wanted = " or ".join(",".join(pair) for pair in (HEADERS[table], DUMP))
            raise ConfigError(f"{shown}:1: the columns are {','.join(header)}, not {wanted}")
        for line in lines:
            place = f"{shown}:{lines.line_num}"
            first, second = (line[column] or "" for column in names)
            for tag in (first, second):
                if fault := misspelt(tag):
                    raise ConfigError(f"{place}: {fault}")
            if line.get("status", "active") == "active":
                rows.append(Row(first, second, place))
    _refuse_twice(table, rows)
    return rows


def misspelt(tag: str) -> str:
    """Why no tag is ever spelt so; empty where one may be."""
    right = tag.strip().lower().replace(" ", "_")
    if not right:
        return "a name is missing"
    return "" if tag == right else f"no tag is spelt '{tag}' (write '{right}')"


def faults(
    aliases: Mapping[str, str], implications: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, str]]:
    """What is wrong with the tables as a whole: table, first name of the entry, what is wrong."""
    targets = {"aliases": {name: [other] for name, other in aliases.items()}}
    targets["implications"] = {name: list(others) for name, others in implications.items()}
    for table, entries in targets.items():
        for name, others in entries.items():
            for tag in (name, *others):
                if fault := misspelt(tag):
                    yield table, name, fault
        for circle in _circles(entries):
            yield table, circle[0], f"'{circle[0]}' leads back to itself: {' -> '.join(circle)}"
    for name, others in implications.items():
        for tag in (name, *others):
            if tag in aliases:
                yield "implications", name, f"'{tag}' is an alias (write '{aliases[tag]}')"


def resolved(aliases: Mapping[str, str]) -> dict[str, str]:
    """The aliases with the name at the end of each chain. There is no circle among them."""
    return {alias: _last(aliases, name) for alias, name in aliases.items()}


def closed(implications: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """All that follows from each tag, what follows from those too, sorted."""
    found = {}
    for tag in implications:
        following, left = set[str](), list(implications[tag])
        while left:
            one = left.pop()
            if one not in following:
                following.add(one)
                left += implications.get(one, ())
        found[tag] = sorted(following)
    return found


def _refuse_twice(table: str, rows: Sequence[Row]) -> None:
    seen: dict[Any, Row] = {}
    for row in rows:
        key = row.first if table == "aliases" else row[:2]
        other = seen.setdefault(key, row)
        if other is not row:
            line = other.place.rpartition(":")[2]
            again = other.second == row.second
            what = f"is given in line {line} already"
            if not again:
                what = f"cannot be '{row.second}' too: in line {line} it is '{other.second}'"
            raise ConfigError(f"{row.place}: '{row.first}' {what}")


def _last(aliases: Mapping[str, str], name: str) -> str:
    while name in aliases:
        name = aliases[name]
    return name


def _circles(entries: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Ways that lead from a name back to it, each from where it is first met."""
    done = set[str]()
    for start in entries:
        way, left = list[str](), [iter([start])]
        while left:
            name = next(left[-1], None)
            if name is None:
                left.pop()
                if way:
                    done.add(way.pop())
            elif name in way:
                yield [*way[way.index(name) :], name]
            elif name not in done:
                way.append(name)
                left.append(iter(entries.get(name, ())))
