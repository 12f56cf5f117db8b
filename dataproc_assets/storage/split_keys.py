"""Where to split a range of keys of which nothing is known but its two ends."""

DIGITS = 8  # characters that are reckoned with, after those that the ends share
FIRST, LAST = " ", "~"
BASE = (
    ord(LAST) - ord(FIRST) + 3
)  # printable ASCII, one digit for what lies above it, 0 for no more


def middle(low: str, high: str) -> str | None:
    """A path about half way between two keys, strictly between them; None where none is found.

    Keys are read as numbers whose digits are the printable characters of ASCII: most keys are made
    of these, so halving meets the keys in few steps. Any answer is right, a bad one only slow.
    """
    pairs = enumerate(zip(low, high, strict=False))
    shared = next((at for at, (one, other) in pairs if one != other), min(len(low), len(high)))
    ends = low[shared:], high[shared:]
    half = sum(_number(end) for end in ends) // 2
    texts = [_text(half)]
    if all(end[:1] > LAST for end in ends):  # two characters far outside: halve their numbers
        texts.append(chr((ord(ends[0][0]) + ord(ends[1][0])) // 2))
    for text in texts:
        for end in range(1, len(text) + 1):
            key = low[:shared] + text[:end]
            if low < key < high and _is_path(key):
                return key
    return None


def _number(text: str) -> int:
    number = 0
    for place in range(DIGITS):
        number *= BASE
        if place < len(text):
            char = min(max(text[place], FIRST), chr(ord(LAST) + 1))
            number += ord(char) - ord(FIRST) + 1
    return number


def _text(number: int) -> str:
    digits = []
    for _ in range(DIGITS):
        number, digit = divmod(number, BASE)
        digits.append(digit)
    text = ""
    for digit in reversed(digits):
        if not digit:
            break
        text += chr(min(ord(FIRST) + digit - 1, ord(LAST)))
    return text


def _is_path(key: str) -> bool:
    """Whether a listing can begin right behind it: a store drops what is no part of a path."""
    if any("\ud800" <= char <= "\udfff" for char in key):
        return False
    return not {"", ".", ".."} & set(key.split("/"))
