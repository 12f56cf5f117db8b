"""JSON as crawlers write it, as one object: exact, and no key given twice."""

import json
from typing import Any

from pydantic import TypeAdapter

Payload = bytes | dict[str, Any] | ValueError
"""A raw record, or what kept it from being read."""

_fast = TypeAdapter(Any).validate_json
_LINE_BLANKS = (b"\n", b"\t", b"\r")


def decode(payload: Payload) -> dict[str, Any]:
    """The object that a payload holds.

    A key given twice is refused wherever it stands, since readers differ in which one counts; half
    of a surrogate pair, which JSON can spell and UTF-8 cannot hold, becomes a question mark.

    Raises ValueError with the line and column, or the byte, of what is wrong.
    """
    if isinstance(payload, dict):
        return payload
    if isinstance(payload, ValueError):
        raise payload
    try:
        raw = _fast(payload)
    except ValueError:
        return _slowly(payload)
    if type(raw) is dict and _no_key_twice(payload, raw):
        return raw
    return _slowly(payload)


def _no_key_twice(payload: bytes, raw: dict[str, Any]) -> bool:
    """Surely no key was given twice; false where it is not sure.

    Every key in the text ends in `":`, but for blanks before the colon. So where there are none,
    the text has at most as many keys as it has `":`: when the parsed value has as many too, none
    was lost. A text that holds `":` itself only makes it unsure.
    """
    if payload.count(b'":') != _keys(raw, payload.count(b"{")) or b" :" in payload:
        return False
    return not any(line in payload and line + b":" in payload for line in _LINE_BLANKS)


def _keys(raw: dict[str, Any], objects: int) -> int:
    """How many keys a value has at all depths, which holds at most `objects` objects.

    Lists are looked into last: mostly they are tags, and all objects were found before.
    """
    count, inner, lists = 0, [raw], []
    while objects and (inner or lists):
        if inner:
            found = inner.pop()
            count += len(found)
            objects -= 1
            values = found.values() if objects else ()
        else:
            values = lists.pop()
        for value in values:
            kind = type(value)
            if kind is dict:
                inner.append(value)
            elif kind is list:
                lists.append(value)
    return count


def _slowly(payload: bytes) -> dict[str, Any]:
    """The same by the standard library, which says where it stops."""
    try:
        text = payload.decode(json.detect_encoding(payload))
        raw = json.loads(text, object_pairs_hook=_object)
        if "\\ud" in text.lower():
            whole = json.dumps(raw, ensure_ascii=False).encode("utf-8", "replace")
            raw = json.loads(whole)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: line {error.lineno} column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"not JSON: byte {error.start} is not {error.encoding}") from error
    except _KeyTwiceError:
        raise
    except (RecursionError, ValueError) as error:
        raise ValueError("not JSON: nested too deeply, or a number too long") from error
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")
    return raw


class _KeyTwiceError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise _KeyTwiceError(f"the key {twice[:40]!r} is given twice")
    return found
