"""The adapter without code: flat records, read as the section `columns` of the YAML says."""

import re
from collections.abc import Callable
from typing import Any

from dataproc_assets.config.columns import ColumnConfig
from dataproc_assets.config.sources import SourceConfig
from dataproc_assets.sources import values
from dataproc_assets.sources.columns import RATINGS
from dataproc_assets.sources.links import pixiv_link

_NOTHING = {"kind": "image", "status": "active", "ai": "unknown"}
_SAME = {rating: rating for rating in RATINGS}
_UNITS = {"seconds": 1, "milliseconds": 1000}
_EPOCH = re.compile(r"-?[0-9]{9,14}(\.[0-9]+)?")


def reader(source: SourceConfig) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What reads a raw record of this source. Its ValueErrors name the raw field."""
    if source.columns is None:
        raise ValueError(f"{source.name} has no section `columns`")
    given = {name: getattr(source.columns, name) for name in type(source.columns).model_fields}
    template = given.pop("post_url")
    read = {name: _column(name, column) for name, column in given.items() if column is not None}
    linked = "linked_pixiv_id" in read

    def to_common(raw: dict[str, Any]) -> dict[str, Any]:
        row = _NOTHING | {name: of(raw) for name, of in read.items()}
        if template:
            row["post_url"] = template.format(id=row["post_id"], page=row.get("page"))
        work, row["linked_pixiv_page"] = pixiv_link(row.get("linked_source"))
        row["linked_pixiv_id"] = work or (row["linked_pixiv_id"] if linked else None)
        return row

    return to_common


def _column(name: str, column: ColumnConfig) -> Callable[[dict[str, Any]], Any]:
    """What reads one column."""
    paths = [path.split(".") for path in column.paths]
    where = " or ".join(column.paths)
    convert = _converter(name, column)
    as_list = name in _LISTS

    def of(raw: dict[str, Any]) -> Any:
        found = [value for path in paths if not values.absent(value := _at(raw, path))]
        try:
            if as_list:
                return values.distinct(text for value in found for text in convert(value))
            value = convert(found[0]) if found else None
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if value is None and name == "post_id":
            raise ValueError(f"{where}: field required")
        return _NOTHING.get(name) if value is None else value

    return of


def _at(raw: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(raw, dict):
            return None
        raw = raw.get(name)
    return raw


def _converter(name: str, column: ColumnConfig) -> Callable[[Any], Any]:
    """From a raw value that is there to the column's own type."""
    plain = _plain(name, column)
    take = re.compile(column.take) if column.take else None
    means = {key.lower(): value for key, value in (column.values or {}).items()}
    if name == "rating" and not means:
        means = _SAME

    def convert(value: Any) -> Any:
        if take:
            found = take.search(_written(value))
            value = found[1] if found else None
        if means and value is not None:
            key = _written(value).strip().lower()
            if key not in means and column.otherwise is None:
                raise ValueError(f"unknown value {key[:20]!r}")
            value = means.get(key, column.otherwise)
        return plain(value)

    return convert


def _plain(name: str, column: ColumnConfig) -> Callable[[Any], Any]:
    if name in _LISTS:
        return lambda value: _texts(value, column, at_blanks=name.startswith("tags_"))
    if name in ("created", "updated"):
        return lambda value: _moment(value, _UNITS[column.unit])
    if name in _TYPED:
        return _TYPED[name]
    return values.plain_text if column.html else values.text


def _texts(value: Any, column: ColumnConfig, at_blanks: bool) -> list[str]:
    if isinstance(value, int) and not isinstance(value, bool):
        value = [str(value)]
    elif isinstance(value, str) and (column.separator or not at_blanks):
        value = value.split(column.separator) if column.separator else [value]
    found = values.tags(value)
    return [values.unescaped(text) for text in found] if column.html else found


def _moment(value: Any, unit: int) -> Any:
    if isinstance(value, str) and _EPOCH.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return values.moment(value / unit)
    return values.moment(value)


def _name(value: Any) -> str | None:
    """An id of digits or of letters."""
    if isinstance(value, str):
        return value.strip() or None
    return values.identifier(value)


def _written(value: Any) -> str:
    """A value as the site writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    raise ValueError("not a text or a whole number")


def _parent(value: Any) -> str | None:
    found = _name(value)
    return None if found == "0" else found


_LISTS = frozenset(
    {
        *("artist_ids", "artist_names"),
        *("tags_general", "tags_character", "tags_copyright", "tags_artist", "tags_meta"),
    }
)
_TYPED: dict[str, Callable[[Any], Any]] = {
    "post_id": _name,
    "asset": _name,
    "page": values.small,
    "score": values.number,
    "favourites": values.whole,
    "views": values.whole,
    "followers": values.whole,
    "width": values.size,
    "height": values.size,
    "md5": values.md5,
    "parent_id": _parent,
    "linked_pixiv_id": values.link,
}
