"""Field types of raw records: what crawlers write loosely, read strictly or refused."""

import html
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_EXACT_FLOAT = 2**53
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_RUBY_TIME = re.compile(r"\w{3} (\w{3}) (\d\d) (\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d) (\d{4})")


class Raw(BaseModel):
    """A raw record: unknown keys are ignored; a null or NaN value counts as absent."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {
            key: value
            for key, value in raw.items()
            if value is not None and not (isinstance(value, float) and math.isnan(value))
        }


def _whole(value: Any) -> int | None:
    """An integer in 64 bits, also from digits or from an integral float, as dumps hold them."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("not a whole number") from error
    if not -(2**63) <= number < 2**63:
        raise ValueError("does not fit 64 bits")
    return number


def _small(value: Any) -> int | None:
    number = _whole(value)
    if number is not None and not 0 <= number < 2**31:
        raise ValueError("not a number from 0 to 2147483647")
    return number


def _number(value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError("not a number") from error
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _identifier(value: Any) -> str | None:
    if isinstance(value, float) and abs(value) > _EXACT_FLOAT:
        raise ValueError("a float that large has lost digits; store it as int64 or text")
    number = _whole(value)
    if number is not None and number < 0:
        raise ValueError("negative")
    return None if number is None else str(number)


def _exact_identifier(value: Any) -> str | None:
    if isinstance(value, float):
        raise ValueError("a float loses digits of this id; store it as int64 or text")
    return _identifier(value)


def _link(value: Any) -> str | None:
    """An id of another post, where 0 stands for none."""
    identifier = _identifier(value)
    return None if identifier == "0" else identifier


def _flag(value: Any) -> bool | None:
    """A boolean, also as the text that gelbooru writes: `bool("false")` would be true."""
    if value is None or value == "":
        return None
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise ValueError("not true or false")
    return found


def _text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError("not text")
    return value.strip() or None


def _plain_text(value: Any) -> str | None:
    """Text of HTML: line breaks kept, other elements removed, entities resolved."""
    found = _text(value)
    if found is None:
        return None
    found = re.sub(r"(?i)<br\s*/?>", "\n", found)
    return html.unescape(re.sub(r"<[a-zA-Z/][^>]*>", "", found)).strip() or None


def _md5(value: Any) -> str | None:
    found = _text(value)
    if found is not None and not re.fullmatch(r"[0-9a-fA-F]{32}", found):
        raise ValueError("not 32 hexadecimal digits")
    return None if found is None else found.lower()


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))


def _tags(value: Any) -> list[str]:
    """Tags from blank-separated text, or from a list of texts or of `{"name": …}` objects."""
    if isinstance(value, str):
        return _distinct(value.split())
    if not isinstance(value, list):
        raise ValueError("not tags")
    tags: list[str] = []
    for entry in value:
        name = entry.get("name") if isinstance(entry, dict) else entry
        if not isinstance(name, str):
            raise ValueError("not tags")
        tags.append(name.strip())
    return _distinct(tags)


def _escaped_tags(value: Any) -> list[str]:
    return _distinct(html.unescape(tag) for tag in _tags(value))


def _time(value: Any) -> datetime | None:
    """UTC, from ISO 8601, from `Sat Sep 26 03:51:09 -0500 2026` or from epoch seconds.

    A time without a zone is UTC. Month names are English, whatever the machine's locale.
    """
    if value is None or value == "":
        return None
    try:
        if isinstance(value, bool):
            raise ValueError
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and (ruby := _RUBY_TIME.fullmatch(value.strip())):
            month, day, clock, hours, minutes, year = ruby.groups()
            value = f"{year}-{_MONTHS.index(month) // 3 + 1:02d}-{day}T{clock}{hours}:{minutes}"
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (OSError, OverflowError, TypeError, ValueError) as error:
        raise ValueError("not a time") from error


def _present(value: Any) -> Any:
    if value is None:
        raise ValueError("empty")
    return value


Id = Annotated[str, BeforeValidator(lambda value: _present(_identifier(value)))]
"""A post's number as text; a float is accepted only where it is exact."""
ExactId = Annotated[str, BeforeValidator(lambda value: _present(_exact_identifier(value)))]
"""A number beyond 2**53, which no float can hold: floats are refused."""
OptionalId = Annotated[str | None, BeforeValidator(_identifier)]
Link = Annotated[str | None, BeforeValidator(_link)]
ExactLink = Annotated[
    str | None,
    BeforeValidator(lambda value: _link(_exact_identifier(value))),
]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Small = Annotated[int | None, BeforeValidator(_small)]
Size = Annotated[int | None, BeforeValidator(lambda value: _small(value) or None)]
Number = Annotated[float | None, BeforeValidator(_number)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Text = Annotated[str | None, BeforeValidator(_text)]
PlainText = Annotated[str | None, BeforeValidator(_plain_text)]
Md5 = Annotated[str | None, BeforeValidator(_md5)]
Tags = Annotated[list[str], BeforeValidator(_tags), Field(default_factory=list)]
"""Empty where the record has none, so that no default need be given."""
EscapedTags = Annotated[list[str], BeforeValidator(_escaped_tags), Field(default_factory=list)]
Time = Annotated[datetime | None, BeforeValidator(_time)]


def names(*values: str | None) -> list[str]:
    """The known ones of `values`, each once, in order."""
    return _distinct(value for value in values if value)


def choose(value: str | None, meanings: dict[str, str], field: str) -> str | None:
    """The meaning of a site's code, null where the site gave none; raises ValueError else."""
    if value is None:
        return None
    if value.lower() not in meanings:
        raise ValueError(f"{field}: unknown value {value[:20]!r}")
    return meanings[value.lower()]
