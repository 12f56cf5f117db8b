"""What a person means by a key, an id, a hash or a URL: the images' keys."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.lookup import matching, rows_of
from dataproc_assets.storage.takedowns import read_takedowns
from dataproc_assets.transforms.post_urls import url_site, url_words

Says = Callable[[Callable[[str], pl.Expr]], pl.Expr]
"""A condition on a row, made of a function that gives a column by its name without namespace."""


class UnknownImage(LookupError):  # noqa: N818
    """Nothing is known by that name; the message says what was looked for, and where."""


@dataclass(frozen=True)
class Subject:
    """What was asked, what kind of name it is, and the keys it stands for, sorted."""

    asked: str
    kind: str
    keys: tuple[str, ...]


def find_subject(lake: Lake, asked: str) -> Subject:
    """The images that a key, a post, an image_id, a SHA-256, an MD5 or a URL stands for.

    `danbooru/123` is an image's key; `pixiv/123` is a post and stands for its pages. A URL is
    that of a post or of its file. An id that a release gave to an image which goes by an older
    one now still leads to it.

    Raises UnknownImage.
    """
    text = asked.strip()
    for kind, keys in _readings(lake, text):
        if keys:
            return Subject(text, kind, tuple(sorted(set(keys))))
    raise UnknownImage(_unknown(lake, text))


def _readings(lake: Lake, text: str) -> Iterator[tuple[str, list[str]]]:
    source, _, native = text.partition("/")
    if source in lake.project.sources and native:
        yield "key", _known(lake, source, [text])
        yield "post", _where(lake, lambda of: of("post_id") == native, [source])
    if re.match(r"https?://", text):
        yield "url", _of_url(lake, text)
    digits = text.lower()
    if re.fullmatch("[0-9a-f]{32}", digits):
        yield "image_id", _of_image(lake, digits)
        yield "md5", _where(lake, lambda of: of("pixels_md5") == digits)
        yield "md5", _where(lake, lambda of: of("md5") == digits)
    if re.fullmatch("[0-9a-f]{64}", digits):
        yield "sha256", _where(lake, lambda of: of("pixels_sha256") == digits)


def _known(lake: Lake, source: str, keys: list[str]) -> list[str]:
    return rows_of(lake.store, lake.path("todo", source), keys)["image_key"].to_list()


def _of_image(lake: Lake, image_id: str) -> list[str]:
    images = rows_of(lake.store, lake.path("images"), [image_id])
    if images.height:
        return images["representative"].to_list()
    named = read_ledger(lake.store, "identity").filter(pl.col("image_id") == image_id)
    return named["founding_key"].to_list()


def _where(lake: Lake, says: Says, sources: list[str] | None = None) -> list[str]:
    """The keys of the rows, of all sources or of some, that say so."""
    found = []
    for source in sources or sorted(lake.project.sources):
        where = says(lambda name, own=f"{source}__": pl.col(f"{own}{name}"))
        info = lake.info("augmented", source)
        if info is not None and set(where.meta.root_names()) <= set(info.columns):
            rows = matching(lake.store, lake.path("augmented", source), where, ["image_key"])
            found += rows["image_key"].to_list()
    return found


def _of_url(lake: Lake, url: str) -> list[str]:
    """The images of a post whose site and id the URL names, or whose file it is."""
    host, ids = url_words(url)

    def names_post(of: Callable[[str], pl.Expr]) -> pl.Expr:
        site = url_site(of("post_url"))
        return ((site == host) | site.str.ends_with(f".{host}")) & of("post_id").is_in(ids)

    return _where(lake, names_post) or _where(lake, lambda of: of("url") == url)


def _taken_down(lake: Lake, text: str) -> str | None:
    """What to tell of a name in the takedown ledger; a post and its pages go by each other."""
    entries = read_takedowns(lake.store)
    names = [text, text.lower(), text.rpartition("_")[0]]
    named = pl.col("value").is_in(names) | pl.col("value").str.starts_with(f"{text}_")
    for entry in entries.filter(named).head(1).to_dicts():
        asked = entry["of"] or entry["id"]
        why = f" ({entry['reason']})" if entry["reason"] else ""
        return (
            f"{text}: was taken down on {entry['date']}, by the entry {asked}{why}; nothing of it "
            f"is kept. `dataproc takedown receipt {asked}` tells what was changed"
        )
    return None


def _unknown(lake: Lake, text: str) -> str:
    """What to tell of a name that nothing goes by: taken down, set aside, or not known."""
    if taken := _taken_down(lake, text):
        return taken
    native = text.rpartition("/")[2]
    for source in sorted(lake.project.sources):
        for table in ("rejects", "rejected_files"):
            if lake.info(table, source) is None:
                continue
            names = pl.col("place").str.contains(native, literal=True)
            rows = matching(lake.store, lake.path(table, source), names, ["place", "reason"])
            for place, reason in rows.sort("place").head(1).iter_rows():
                return f"{text}: {source} set it aside at intake: {place}: {reason}"
    known = ", ".join(sorted(lake.project.sources))
    return (
        f"{text}: nothing goes by that name. It can be a key (source/id, of {known}), a post "
        "(pixiv/123), an image_id, a SHA-256 or MD5, or a post's URL; a new one is known once "
        "`dataproc run` has read it"
    )
