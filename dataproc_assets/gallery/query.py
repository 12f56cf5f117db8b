"""A question as a person types it: names, terms by field, and words."""

import re
from dataclasses import dataclass

from dataproc_assets.gallery.index import SHOWN_FIELDS

_PART = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"|(\S+))')
_DIGEST = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Term:
    """A value of a field that an answer must have, or must not."""

    field: str
    value: str
    refused: bool = False


@dataclass(frozen=True)
class Query:
    """What is asked for: any of `names`, all `terms`, the likest to `words` or to `like` first."""

    names: tuple[str, ...]
    terms: tuple[Term, ...]
    words: str
    like: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is asked."""
        return not (self.names or self.terms or self.words or self.like)


def parse_query(text: str, sources: list[str]) -> Query:
    """Read a question.

    `tag:long_hair`, `tag:"long hair"` and the other fields of SHOWN_FIELDS are terms, with a `-`
    before them refused ones. `like:` and a name asks for what looks like that picture. A URL, 32
    or 64 hex digits, and what begins with a source's name and a slash are names. All else, in its
    order, are words.
    """
    names, terms, words, like = [], [], [], ""
    for part in _PART.finditer(text):
        minus, field, quoted, bare = part.groups()
        value = quoted if quoted is not None else bare
        if field in SHOWN_FIELDS and value.strip():
            spelled = re.sub(r"\s+", "_", value.strip().lower()) if field == "tag" else value
            terms.append(Term(field, spelled, bool(minus)))
            continue
        if field == "like" and value.strip() and not minus:
            like = value.strip()
            continue
        word = part.group(0).replace('"', "")
        if quoted is None and _is_name(word, sources):
            names.append(word)
        elif word.strip():
            words.append(word.strip())
    return Query(tuple(names), tuple(terms), " ".join(words), like)


def _is_name(word: str, sources: list[str]) -> bool:
    source, slash, native = word.partition("/")
    return bool(
        re.match(r"https?://.", word)
        or _DIGEST.fullmatch(word.lower())
        or (slash and native and source in sources)
    )
