"""Values of raw records: what crawlers write loosely, read strictly or refused by ValueError.

Null and NaN (which trips over pandas leave behind) are an absent value to every reader.
"""

import html
import math
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

_EXACT_FLOAT = 2**53
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_BREAK = re.compile(r"(?i)<br\s*/?>")
_ELEMENT = re.compile(r"<[a-zA-Z/][^>]*>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_RUBY_TIME = re.compile(r"\w{3} (\w{3}) (\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d) (\d{4})")
_FLAGS = {True: True, False: False, "true": True, "1": True, "false": False, "0": False}


def absent(value: Any) -> bool:
    """Whether a raw value says nothing: null, NaN or an empty text."""
    return value is None or value == "" or value != value


def whole(value: Any) -> int | None:
    """An integer of 64 bits, also from its text or an exact float. Raises ValueError."""
    if type(value) is not int:
        if absent(value):
            return None
        if type(value) is str:
            if not _WHOLE.fullmatch(value.strip()):
                too_long = value.strip().lstrip("+-")
                digits = too_long.isascii() and too_long.isdigit()
                raise ValueError("does not fit 64 bits" if digits else "not a whole number")
        elif not isinstance(value, float | Decimal) or value % 1 != 0:
            raise ValueError("not a whole number")
        value = int(value)
    if not -(2**63) <= value < 2**63:
        raise ValueError("does not fit 64 bits")
    return value


def small(value: Any) -> int | None:
    """A number from 0 to 2**31 - 1: a page, a width. Raises ValueError."""
    number = whole(value)
    if number is not None and not 0 <= number < 2**31:
        raise ValueError("not a number from 0 to 2147483647")
    return number


def size(value: Any) -> int | None:
    """A width or height in pixels, where 0 stands for unknown."""
    return small(value) or None


def number(value: Any) -> float | None:
    """A finite number, also from its text. Raises ValueError."""
    if absent(value):
        return None
    plain = value.isascii() and "_" not in value if type(value) is str else True
    if not plain or not isinstance(value, int | float | str | Decimal) or type(value) is bool:
        raise ValueError("not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise ValueError("not a number") from error
    if not math.isfinite(found):
        raise ValueError("not a finite number")
    return found


def identifier(value: Any) -> str | None:
    """A post's number as text; a float is accepted only where it is exact."""
    if type(value) is float and abs(value) > _EXACT_FLOAT:
        raise ValueError("a float that large has lost digits; store it as int64 or text")
    found = whole(value)
    if found is not None and found < 0:
        raise ValueError("negative")
    return None if found is None else str(found)


def exact_identifier(value: Any) -> str | None:
    """An id beyond 2**53, which no float can hold: floats are refused."""
    if type(value) is float and value == value:
        raise ValueError("a float loses digits of this id; store it as int64 or text")
    return identifier(value)


def needed(value: Any) -> Any:
    """Tell a field that is not there from one that is empty."""
    if value is None or value != value:
        raise ValueError("field required")
    if value == "":
        raise ValueError("empty")
    return value


def link(value: Any) -> str | None:
    """An id of another post, where 0 stands for none."""
    found = identifier(value)
    return None if found == "0" else found


def exact_link(value: Any) -> str | None:
    """A link to an id beyond 2**53."""
    found = exact_identifier(value)
    return None if found == "0" else found


def flag(value: Any) -> bool | None:
    """A boolean, also as the text that gelbooru writes: `bool("false")` would be true."""
    if type(value) is bool:
        return value
    if absent(value):
        return None
    found = _FLAGS.get(value.lower() if type(value) is str else value) if _hashable(value) else None
    if found is None:
        raise ValueError("not true or false")
    return found


def _hashable(value: Any) -> bool:
    return isinstance(value, str | int | float)


def text(value: Any) -> str | None:
    """A text without the blanks around it, null where nothing is left. Raises ValueError."""
    if type(value) is str:
        return value.strip() or None
    if absent(value):
        return None
    raise ValueError("not text")


def unescaped(value: str) -> str:
    """HTML's entities resolved, but only whole ones: `&not_love` is no `&not;`."""
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), value) if "&" in value else value


def escaped_text(value: Any) -> str | None:
    """A text that is HTML-escaped, without elements."""
    found = text(value)
    return None if found is None else unescaped(found).strip() or None


def plain_text(value: Any) -> str | None:
    """Text of HTML: line breaks kept, other elements removed, entities resolved."""
    found = text(value)
    if found is None or ("<" not in found and "&" not in found):
        return found
    return html.unescape(_ELEMENT.sub("", _BREAK.sub("\n", found))).strip() or None


def md5(value: Any) -> str | None:
    """A digest in lower case. Raises ValueError."""
    found = text(value)
    if found is not None and not _MD5.fullmatch(found):
        raise ValueError("not 32 hexadecimal digits")
    return None if found is None else found.lower()


def distinct(values: Iterable[str]) -> list[str]:
    """The texts that hold something, each once, in order."""
    return [value for value in dict.fromkeys(values) if value]


def tags(value: Any) -> list[str]:
    """Tags from blank-separated text, or from a list of texts or of `{"name": …}` objects."""
    if type(value) is str:
        return list(dict.fromkeys(value.split()))
    if value is None or value != value:
        return []
    if not isinstance(value, list):
        raise ValueError("not tags")
    found: list[str] = []
    for entry in value:
        name = entry.get("name") if type(entry) is dict else entry
        if type(name) is not str:
            raise ValueError("not tags")
        found.append(name.strip())
    return distinct(found)


def escaped_tags(value: Any) -> list[str]:
    """Tags that are HTML-escaped."""
    found = tags(value)
    if type(value) is str and "&" not in value:
        return found
    return distinct([unescaped(tag) if "&" in tag else tag for tag in found])


def moment(value: Any) -> datetime | None:
    """UTC, from ISO 8601, from `Sat Sep 26 03:51:09 -0500 2026` or from epoch seconds.

    A time without a zone is UTC. Month names are English, whatever the machine's locale.
    """
    if absent(value):
        return None
    try:
        if type(value) is str:
            if ruby := _RUBY_TIME.fullmatch(value.strip()):
                month, day, clock, hours, minutes, year = ruby.groups()
                value = f"{year}-{_MONTHS.index(month) // 3 + 1:02d}-{day}T{clock}{hours}:{minutes}"
            found = datetime.fromisoformat(value.strip())
        elif isinstance(value, datetime):
            found = value
        elif isinstance(value, date):
            found = datetime(value.year, value.month, value.day)
        elif isinstance(value, int | float) and type(value) is not bool:
            return datetime.fromtimestamp(value, UTC)
        else:
            raise ValueError
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (OSError, OverflowError, ValueError) as error:
        raise ValueError("not a time") from error


def names(*values: str | None) -> list[str]:
    """The known ones of `values`, each once, in order."""
    return distinct(value for value in values if value)


def choose(value: str | None, meanings: dict[str, str], field: str) -> str | None:
    """The meaning of a site's code, null where the site gave none; raises ValueError else."""
    if value is None:
        return None
    found = meanings.get(value.lower())
    if found is None:
        raise ValueError(f"{field}: unknown value {value[:20]!r}")
    return found
