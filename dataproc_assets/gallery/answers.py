"""A question's answer: the entries found, as cards, with what a person should know of it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery.cards import Card, card_of
from dataproc_assets.gallery.query import Query, Term
from dataproc_assets.gallery.search import Found, Index

SUGGESTED = 8  # tags that begin like one that nothing has


class NoWordsError(Exception):
    """Words cannot be looked for; the message says why, and what helps."""


Embed = Callable[[str], np.ndarray]
"""Words as a float32 vector (d,) of unit norm. Raises NoWordsError."""
Lookup = Callable[[str], list[str]]
"""The keys that a name stands for. Raises LookupError, which says that there are none."""


@dataclass
class Notes:
    """What is told beside an answer: lines of text, and tags as further questions."""

    lines: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def find(
    index: Index, query: Query, hidden: np.ndarray, embed: Embed, lookup: Lookup, most: int
) -> tuple[Found, Notes]:
    """The entries that a question asks for, at most `most`, none that is hidden."""
    notes = Notes()
    among = _named(index, query.names, hidden, lookup, notes) if query.names else None
    terms, words = _tagged(index, query, notes)
    vector = None
    if query.like:
        vector = _picture(index, query.like, hidden, lookup, notes)
    elif words:
        vector = _words(words, embed, notes)
    ranks_only = bool(words) and not terms and among is None
    if vector is None and (query.like or ranks_only):
        return Found(np.empty(0, np.int64), 0), notes
    for term in terms:
        if not term.refused and not len(index.having(term.field, term.value)):
            notes.lines.append(f"Nothing has the {term.field} {term.value}")
            if term.field == "tag":
                notes.tags += index.like("tag", term.value, SUGGESTED)
    return index.find(among, terms, vector, hidden, most), notes


def cards(index: Index, found: Found, config: GalleryConfig) -> list[Card]:
    """The cards of the entries found, in their order."""
    entries = index.entries[found.entries]
    rows = index.pictures[entries["picture"].to_numpy()]
    made = []
    for number, row in enumerate(rows.iter_rows(named=True)):
        card, more = card_of(row, row["pixels_sha256"], config), []
        if found.cosines is not None:
            more.append(f"cosine\u00a0{found.cosines[number]:.3f}")
        if (members := entries["members"][number]) > 1:
            more.append(f"{members}\u00a0copies")
        made.append(replace(card, facts=[*card.facts, *more]))
    return made


def cards_of(index: Index, keys: list[str], config: GalleryConfig) -> dict[str, Card]:
    """The cards of some keys, of those that the index knows."""
    rows = index.pictures.filter(pl.col("image_key").is_in(keys)).iter_rows(named=True)
    return {row["image_key"]: card_of(row, row["pixels_sha256"], config) for row in rows}


def offers(index: Index, hidden: np.ndarray, count: int) -> dict[str, list[dict[str, Any]]]:
    """The most frequent values of each field with how many pictures have them, to begin with."""
    found = {}
    for name in ("tag", "source", "rating", "tier", "recipe", "drop", "is"):
        values = [value for value, _ in index.frequent(name, count)]
        visible = [(value, int((~hidden[index.having(name, value)]).sum())) for value in values]
        found[name] = [{"value": v, "count": number} for v, number in visible if number]
    return found


def _named(
    index: Index, names: tuple[str, ...], hidden: np.ndarray, lookup: Lookup, notes: Notes
) -> np.ndarray:
    """The entries that go by any of some names."""
    found = [np.empty(0, np.int64)]
    for name in names:
        entries = index.named(name)
        if not len(entries):
            try:
                entries = index.of_keys(lookup(name))
            except LookupError as error:
                notes.lines.append(str(error))
                continue
        if not (~hidden[entries]).any():
            notes.lines.append(f"{name}: it is known, and nothing of it may be shown here")
        found.append(entries)
    return np.unique(np.concatenate(found))


def _tagged(index: Index, query: Query, notes: Notes) -> tuple[tuple[Term, ...], str]:
    """The terms, with words that can only be meant as tags, and the words that are left.

    Such a word is a tag that no running text would have: `long_hair`, `1girl`.
    """
    terms, left = list(query.terms), []
    for word in query.words.split():
        spelt = word.lower().strip(",")
        known = len(index.having("tag", spelt)) > 0
        if known and not spelt.isalpha():
            terms.append(Term("tag", spelt))
            notes.lines.append(f"{word} is taken as a tag")
        else:
            left.append(word)
            notes.tags += [spelt] if known else []
    together = "_".join(left).lower()
    if len(left) > 1 and len(index.having("tag", together)):
        notes.tags.append(together)
    return tuple(terms), " ".join(left)


def _picture(
    index: Index, name: str, hidden: np.ndarray, lookup: Lookup, notes: Notes
) -> np.ndarray | None:
    """The vector of a picture that may be shown."""
    entries = _named(index, (name,), hidden, lookup, notes)
    for entry in entries[~hidden[entries]]:
        if index.entries["embedded"][int(entry)]:
            return index.vector(int(entry))
    notes.lines.append(f"{name}: there is no vector to compare others with")
    return None


def _words(words: str, embed: Embed, notes: Notes) -> np.ndarray | None:
    try:
        return embed(words)
    except NoWordsError as error:
        notes.lines.append(f"Words cannot be looked for: {error}. Ask by tag: instead")
        return None
