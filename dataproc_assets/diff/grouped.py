"""The keys of what changed by the name of a change: the most first, and a few to show."""

from collections.abc import Iterable

SHOWN = 5


def grouped(names: Iterable[str], keys: Iterable[str]) -> dict[str, list[str]]:
    """The keys by the names that stand beside them, the name of most keys first."""
    found: dict[str, list[str]] = {}
    for name, key in zip(names, keys, strict=True):
        found.setdefault(name, []).append(key)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def some(keys: list[str]) -> str:
    """A few of the keys, and how many more there are."""
    rest = len(keys) - SHOWN
    return ", ".join(keys[:SHOWN]) + (f" and {rest:,} more" if rest > 0 else "")
