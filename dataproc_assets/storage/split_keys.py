"""Where to split a range of keys of which little is known but some that were listed."""

from bisect import bisect_right
from collections.abc import Iterable

DIGITS = 12  # characters that are reckoned with, after those that two keys share


class Alphabet:
    """The characters that keys are made of, as digits: so halving does not try any others.

    A split is right whatever the alphabet; one that fits the keys finds them in fewer steps.
    """

    def __init__(self, chars: Iterable[str] = ()) -> None:
        self.chars = sorted(set(chars))

    def add(self, keys: Iterable[str]) -> None:
        """Take in the characters of more keys."""
        self.chars = sorted({*self.chars, *"".join(keys)})

    def middle(self, low: str, high: str) -> str | None:
        """A path about half way between two keys, strictly between them; None for none found."""
        shared = _shared(low, high)
        half = (self._number(low, shared) + self._number(high, shared)) // 2
        text = self._text(half)
        for end in range(1, len(text) + 1):
            key = low[:shared] + text[:end]
            if low < key < high and _is_path(key):
                return key
        return None

    def ahead(self, first: str, at: str, end: str) -> float | None:
        """How much farther it is from `at` to `end` than it was from `first` to `at`.

        None where the two keys are too near to each other, compared with the end.
        """
        shared = _shared(first, end)
        start, now, last = (self._number(key, shared) for key in (first, at, end))
        return (last - now) / (now - start) if now > start else None

    def _number(self, key: str, start: int) -> int:
        """The key from `start` on as a number; a character between two digits is the lower one."""
        number = 0
        for place in range(start, start + DIGITS):
            number *= len(self.chars) + 1
            if place < len(key):
                number += bisect_right(self.chars, key[place])
        return number

    def _text(self, number: int) -> str:
        digits = []
        for _ in range(DIGITS):
            number, digit = divmod(number, len(self.chars) + 1)
            digits.append(digit)
        text = ""
        for digit in reversed(digits):
            if not digit:
                break
            text += self.chars[digit - 1]
        return text


def _shared(one: str, other: str) -> int:
    """How many characters two keys have in common at their start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _is_path(key: str) -> bool:
    """Whether a listing can begin right behind it: a store drops what is no part of a path."""
    return not {"", ".", ".."} & set(key.split("/"))
