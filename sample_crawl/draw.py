"""Hash draws: every arbitrary choice of the sample crawl is a function of its name."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

T = TypeVar("T")
FIRST_DAY = datetime(2009, 1, 1)
LAST_DAY = datetime(2026, 9, 20)


def digest(*names: object) -> str:
    """Return 64 hex digits drawn for these names."""
    return hashlib.sha256("/".join(map(str, names)).encode()).hexdigest()


def unit(*names: object) -> float:
    """Return a number in [0, 1) drawn for these names."""
    return int(digest(*names)[:13], 16) / 16**13


def integer(low: int, high: int, *names: object) -> int:
    """Return a whole number in [low, high), all equally likely."""
    return low + int(unit(*names) * (high - low))


def spread(low: float, high: float, *names: object) -> int:
    """Return a whole number in [low, high), each decade equally likely, as likes are spread."""
    return int(low * (high / low) ** unit(*names))


def choice(options: Sequence[T], *names: object) -> T:
    """Return one of the options."""
    return options[integer(0, len(options), *names)]


def moment(first: datetime, *names: object) -> datetime:
    """Return a second between `first` and the last day of the crawl."""
    seconds = int((LAST_DAY - first).total_seconds())
    return first + timedelta(seconds=integer(0, seconds, *names))


def noise(size: int, *names: object) -> bytes:
    """Return `size` bytes that are no image of any format."""
    blocks = range(-(-size // 32))
    return b"".join(bytes.fromhex(digest(*names, block)) for block in blocks)[:size]
