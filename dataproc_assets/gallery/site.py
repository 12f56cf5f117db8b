"""What the server answers beside the gallery's files: search, explain, and pictures on demand."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import polars as pl

from dataproc_assets.config.gallery import SearchConfig
from dataproc_assets.explain.explain import explain
from dataproc_assets.explain.subject import Subject, UnknownImage, find_subject
from dataproc_assets.gallery.answers import Embed, NoWordsError, cards, find, offers
from dataproc_assets.gallery.build import MANIFEST
from dataproc_assets.gallery.cards import Card
from dataproc_assets.gallery.drawing import Drawing
from dataproc_assets.gallery.explained import explain_page
from dataproc_assets.gallery.held import Held
from dataproc_assets.gallery.index import FOLDER
from dataproc_assets.gallery.pictures import (
    PREVIEWS,
    THUMBS,
    ReadPicture,
    picture_path,
)
from dataproc_assets.gallery.query import parse_query
from dataproc_assets.gallery.render import EveryPicture, Renderer
from dataproc_assets.gallery.response import HTML, TEXT, Answer
from dataproc_assets.gallery.samples import DRAWN
from dataproc_assets.gallery.search import Index, NotReadyError, load_index
from dataproc_assets.gallery.served import EXPLAIN, SEARCH
from dataproc_assets.gallery.view import Page
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets.version import __version__

_EXPLAINED = re.compile(rf'{re.escape(EXPLAIN)}\?of=([^"]+)"'.encode())
PICTURES = (THUMBS, PREVIEWS, DRAWN)  # folders of files that are named by the original's digest


@dataclass(frozen=True)
class Means:
    """What answers need that lies above this package.

    Attributes:
        read_picture: decodes an original.
        embed: makes a vector of words.
        state: stands for the tables that say what may be shown, as `build_gallery` was told it.
        shown: the keys that may be shown by these tables.
    """

    read_picture: ReadPicture
    embed: Embed
    state: Callable[[], str]
    shown: Callable[[], pl.Series]


class Site:
    """Answers of one project. Safe to be asked by several threads."""

    def __init__(self, lake: Lake, means: Means) -> None:
        self._lake, self._means, self._config = lake, means, lake.project.gallery
        seconds = self._config.search.recheck_seconds
        self._held = Held(lake.store, means.state, means.shown, seconds)
        self._drawing = Drawing(lake, means.read_picture, self._config)
        self._loaded: tuple[tuple[int, str], Index] | None = None
        self._loading = Lock()
        self._renderer = Renderer(EveryPicture(), {}, served=True)

    @property
    def limits(self) -> SearchConfig:
        """How much is answered, and how long that may take."""
        return self._config.search

    def route(self, target: str) -> Callable[[], Answer] | None:
        """What gives the answer to a request's target; None where it is none of this site's."""
        address = urlsplit(target)
        path = unquote(address.path)
        parts = PurePosixPath(path).parts[1:]
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if parts and parts[0] in PICTURES and ".." not in parts and path.isprintable():
            return partial(self._safely, self._picture, parts)
        if parts[:1] == (FOLDER,) and len(parts) > 1:  # the index may tell of what is withheld now
            return partial(self._message, HTTPStatus.NOT_FOUND, "There is no such page")
        if parts in ((FOLDER,), (SEARCH,)):
            return partial(self._safely, self._search, asked)
        if parts in (("explain",), (EXPLAIN,)):
            return partial(self._safely, self._explain, asked.get("of", ""))
        return None

    def cleared(self, page: Answer) -> Answer:
        """A page that was written before, unless it shows what a ledger names by now.

        Whatever a page tells of an image stands beside a link to what explains it.
        """
        asked = {unquote(key.decode()) for key in _EXPLAINED.findall(page.body)}
        try:
            index = self._index()
            hidden = np.flatnonzero(self._held.by_ledger(index)).tolist()
        except (NotReadyError, ConnectionError):
            return page  # it is being drawn anew: what is withheld goes first
        gone = index.pictures.filter(pl.col("entry").is_in(hidden))["image_key"]
        if asked.isdisjoint(gone):
            return page
        return self._message(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "This page shows an image that was withheld after it was drawn: `dataproc run` draws "
            "it anew",
        )

    def _safely(self, answer: Callable[[Any], Answer], asked: Any) -> Answer:
        """An answer, or why there is none now."""
        try:
            return answer(asked)
        except NotReadyError as error:
            text = str(error)
        except (FileNotFoundError, ChangedFileError, ConnectionError) as error:
            text = f"The tables cannot be read as they are now: {error}"
        return self._message(HTTPStatus.SERVICE_UNAVAILABLE, text)

    def _index(self) -> Index:
        path = f"{gallery_path()}/{MANIFEST}"
        try:
            version = self._lake.store.stat(path)
        except FileNotFoundError:
            raise NotReadyError(
                "There is nothing to search yet: `dataproc run` draws the gallery and its index"
            ) from None
        with self._loading:
            if self._loaded is None or self._loaded[0] != version:
                self._loaded = (version, load_index(self._lake.store))
            return self._loaded[1]

    def _picture(self, parts: tuple[str, ...]) -> Answer:
        """A picture of the gallery's files, or a thumbnail drawn now; none of what is withheld."""
        nothing = Answer(HTTPStatus.NOT_FOUND, TEXT, b"There is no such picture.\n")
        path, digest = "/".join(parts), parts[-1].partition(".")[0]
        index = self._index()
        hidden = self._held.entries(index)
        rows = index.pictures.filter(pl.col("pixels_sha256") == digest)
        if rows.is_empty() or hidden[rows["entry"].to_numpy()].any():
            return nothing
        try:
            body = self._lake.store.get(f"{gallery_path()}/{path}")
        except FileNotFoundError:
            drawn = path == picture_path(THUMBS, digest)
            body = self._drawing.of(rows["image_key"][0], digest) if drawn else None
        return Answer(HTTPStatus.OK, "image/webp", body) if body else nothing

    def _search(self, asked: dict[str, str]) -> Answer:
        text, limits = asked.get("q", "").strip(), self._config.search
        if len(text) > limits.query_chars:
            most = f"A question may have {limits.query_chars} characters; this one has {len(text)}"
            return self._message(HTTPStatus.BAD_REQUEST, most)
        number = asked.get("page", "1")
        page = int(number) if number.isdecimal() and len(number) < 6 else 0
        if not 1 <= page <= limits.pages:
            return self._message(HTTPStatus.NOT_FOUND, "There is no such page of an answer")
        index = self._index()
        hidden = self._held.entries(index)
        query = parse_query(text, index.sources)
        values: dict[str, Any] = {"query": text, "total": int((~hidden).sum())}
        shown: list[Card] = []
        if query.empty:
            values["offers"] = offers(index, hidden, limits.tags)
        else:
            most = limits.results * limits.pages
            found, notes = find(
                index, query, hidden, partial(self._embed, index), self._lookup, most
            )
            shown = cards(index, found.page(page, limits.results), self._config)
            pages = -(-len(found.entries) // limits.results)
            values |= {"found": found, "notes": notes, "cards": shown, "page": page, "pages": pages}
            values |= {"ranked": found.cosines is not None, "offers": None}
        title = f"Search: {text}" if text else "Search"
        return self._page(index, Page(SEARCH, title, "search", values, SEARCH), shown)

    def _embed(self, index: Index, words: str) -> np.ndarray:
        """Words as a vector of the model that the index's pictures were embedded by."""
        model, metric = index.manifest["search"]["model"], self._lake.project.dedup.embedding
        if model != self._lake.parts.fingerprint(metric):
            raise NoWordsError(
                f"the pictures were embedded by another model than {metric} now is; `dataproc run` "
                "embeds them anew, and `dataproc gallery` reads what changed when it starts"
            )
        return self._means.embed(words)

    def _lookup(self, name: str) -> list[str]:
        return list(find_subject(self._lake, name).keys)

    def _explain(self, name: str) -> Answer:
        if not name or len(name) > self._config.search.query_chars:
            text = "Ask for an image: a key, a post, an image_id, a hash or a URL"
            return self._message(HTTPStatus.BAD_REQUEST, text)
        try:
            subject = find_subject(self._lake, name)
        except UnknownImage as error:
            return self._message(HTTPStatus.NOT_FOUND, str(error))
        index, keys = self._index(), subject.keys[: self._config.search.answers]
        hidden = self._held.entries(index)
        told = explain(self._lake, Subject(subject.asked, subject.kind, keys))
        page, shown = explain_page(index, hidden, subject, told, self._config)
        return self._page(index, page, shown)

    def _page(self, index: Index, page: Page, shown: list[Card]) -> Answer:
        pictures = {card.key: card.sha256 for card in shown if card.sha256}
        paths = {digest: picture_path(THUMBS, digest) for digest in pictures.values()}
        files = index.manifest["files"]
        to_draw = {key: digest for key, digest in pictures.items() if paths[digest] not in files}
        self._drawing.prepare(to_draw)
        return self._html(HTTPStatus.OK, page, json_digest(index.manifest["inputs"]))

    def _message(self, status: HTTPStatus, text: str) -> Answer:
        return self._html(status, Page(SEARCH, "Search", "message", {"text": text}, SEARCH), "")

    def _html(self, status: HTTPStatus, page: Page, inputs: str) -> Answer:
        values = {"query": "", "footer": {"version": __version__, "inputs": inputs}, **page.values}
        return Answer(status, HTML, self._renderer.render(replace(page, values=values)))
