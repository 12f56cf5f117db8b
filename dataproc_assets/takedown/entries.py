"""What a person asks to be taken down, as entries of the ledger."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from dataproc_assets.config.project import Project
from dataproc_assets.sources.layouts import key_part
from dataproc_assets.storage.ledger import LEDGER_SCHEMAS

KINDS = ("key", "post", "url", "artist", "hash")
COLUMNS = ("value", "kind", "date", "reason")
HASH = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")


class EntryError(ValueError):
    """An entry cannot be understood; the message has the place and the next step."""


@dataclass(frozen=True)
class Asked:
    """What goes for every entry that does not say otherwise itself.

    Attributes:
        date: on which it was asked, ISO 8601.
        reason: in a person's words.
    """

    date: str
    reason: str


def to_entries(rows: list[tuple[str, str, str, str]], only: bool) -> pl.DataFrame:
    """Entries of (kind, value, date, reason), in the ledger's columns."""
    schema = LEDGER_SCHEMAS["takedown"]
    scope = "post" if only else "picture"
    return pl.DataFrame([(*row, scope, "") for row in rows], schema=schema, orient="row").unique(
        maintain_order=True
    )


def read_value(project: Project, text: str) -> tuple[str, str]:
    """The kind and the value of what names an image: a key, a post, a URL, a hash or an id.

    Raises EntryError where it is none of them.
    """
    value = text.strip()
    source, _, native = value.partition("/")
    if source in project.sources and native:
        part = pl.DataFrame({"image_key": [value]}).select(key_part(project.sources[source], "id"))
        return ("key" if part.item() is not None else "post"), value
    if re.match(r"https?://[^/]+/.", value):
        return "url", value
    if HASH.fullmatch(value.lower()):
        return "hash", value.lower()
    known = ", ".join(sorted(project.sources))
    raise EntryError(
        f"{text!r} is no key or post (source/id, of {known}), no URL of a post, no SHA-256, MD5 or "
        "image_id; an artist is named by --artist, or in a CSV by the kind `artist`"
    )


def read_csv(project: Project, path: Path, asked: Asked) -> list[tuple[str, str, str, str]]:
    """The entries of a CSV file: `value`, and where it has them `kind`, `date` and `reason`.

    Other columns are left alone, so that an export of an opt-out registry can be read; one with
    `url` or `artist` in place of `value` is of that kind.

    Raises EntryError, with the line, for the first row that cannot be understood.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(project, path, csv.DictReader(file), asked))
    except (UnicodeDecodeError, csv.Error) as error:
        raise EntryError(f"{path}: is no CSV file in UTF-8: {error}") from None


def _rows(
    project: Project, path: Path, reader: "csv.DictReader[str]", asked: Asked
) -> Iterator[tuple[str, str, str, str]]:
    names = {name.strip().lower(): name for name in reader.fieldnames or []}
    column = next((name for name in ("value", "url", "artist") if name in names), None)
    if column is None:
        raise EntryError(
            f"{path}: its first line must name a column `value`, `url` or `artist`; it names "
            f"{', '.join(names) or 'none'}"
        )
    for row in reader:
        told = {key: (row.get(name) or "").strip() for key, name in names.items()}
        if not any(told.values()):
            continue
        place = f"{path}:{reader.line_num}"
        kind = told.get("kind", "") or ("artist" if column == "artist" else "")
        try:
            kind, value = _of_kind(project, kind, told[column])
            day = read_date(told.get("date", "") or asked.date)
        except ValueError as error:
            raise EntryError(f"{place}: {error}") from None
        yield kind, value, day, told.get("reason", "") or asked.reason


def _of_kind(project: Project, kind: str, value: str) -> tuple[str, str]:
    if not value:
        raise EntryError("the value is empty")
    if kind == "artist":
        return kind, value
    if kind and kind not in KINDS:
        raise EntryError(f"{kind!r} is no kind; there are {', '.join(KINDS)}")
    return read_value(project, value)


def read_date(text: str) -> str:
    """A date in ISO 8601. Raises EntryError where it is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise EntryError(f"{text!r} is no date; write it as 2026-11-28") from None
