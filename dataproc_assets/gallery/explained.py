"""The page that tells an image's whole way, with the pictures of its cluster."""

from typing import Any

import numpy as np
import polars as pl

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.explain.explain import bare
from dataproc_assets.explain.page import endings_text, tables
from dataproc_assets.explain.subject import Subject
from dataproc_assets.gallery.answers import cards_of
from dataproc_assets.gallery.cards import Card
from dataproc_assets.gallery.search import Index
from dataproc_assets.gallery.served import EXPLAIN
from dataproc_assets.gallery.view import Page

WITHHELD = (
    "of this image, or of a copy of it, nothing may be shown here, or it is newer than the "
    "gallery: only names and rules are told"
)


def explain_page(
    index: Index,
    hidden: np.ndarray,
    subject: Subject,
    told: list[dict[str, Any]],
    config: GalleryConfig,
) -> tuple[Page, list[Card]]:
    """The page of `explain`'s answers, and the cards it shows.

    Words and pictures are told only of what the index holds with all its copies, and does not
    hide (`hidden`, bool (entries,)).
    """
    answers = [_answer(index, hidden, answer, config) for answer in told]
    values = {
        "query": subject.asked,
        "kind": subject.kind,
        "answers": answers,
        "more": list(subject.keys[len(told) :]),
    }
    title = f"Why {subject.asked} is where it is"
    shown = [item["card"] for answer in answers for item in answer["members"] if item["card"]]
    return Page(EXPLAIN, title, "explain", values, ""), shown


def _answer(
    index: Index, hidden: np.ndarray, answer: dict[str, Any], config: GalleryConfig
) -> dict[str, Any]:
    key, members = answer["key"], answer["cluster"].get("members", [])
    keys = sorted({key, *(member["image_key"] for member in members)})
    known = index.pictures.filter(pl.col("image_key").is_in(keys))
    open_ = known.height == len(keys) and not hidden[known["entry"].to_numpy()].any()
    if not open_:
        answer = bare(answer, answer["way"].get("withheld", WITHHELD))
    roles = {member["image_key"]: member["role"] for member in members}
    order = sorted(keys, key=lambda other: (other != key, roles.get(other) != "representative"))
    some = order[: config.members + 1]
    cards = cards_of(index, some, config) if open_ else {}
    listed = [
        {"key": other, "role": roles.get(other, "alone"), "card": cards.get(other)}
        for other in some
    ]
    return {
        "key": key,
        "withheld": answer["way"].get("withheld"),
        "endings": endings_text(answer),
        "members": listed,
        "more": order[len(some) :],
        "tables": tables(answer),
    }
