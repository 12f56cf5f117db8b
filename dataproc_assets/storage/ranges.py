"""Listing a prefix by ranges of keys, split while they are listed, for a store in key order.

That nothing is missing is not assumed but seen. A range is listed up to the first key beyond its
end, and that key must turn up in another range's listing. So, whatever order the store lists in,
as long as it is one order and a listing may begin anywhere in it, the ranges touch each other
without a gap from the first object to the last; and within a range the keys must ascend.
"""

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from math import inf
from threading import Condition

import polars as pl

from dataproc_assets.storage.listed import LISTING_SCHEMA
from dataproc_assets.storage.objects import PAGE, ObjectStore
from dataproc_assets.storage.split_keys import Alphabet

END = "\U0010ffff"
SPLIT_PAGES = 2  # with less than this to come, a range is not worth a request of its own


class UnorderedError(Exception):
    """A store does not list its objects in the order of their keys' bytes."""

    def __init__(self, place: str, seen: str) -> None:
        super().__init__(
            f"{place}: listed by ranges, but not in the order of its keys: {seen}; set "
            "crawl.listing of conf/profiles to `by: folders`"
        )


@dataclass(eq=False)
class _Range:
    """Keys above `after`, up to and with `upto`, which falls when the range is split.

    `first` and `at` are the first and the last key that were listed, `at` while more are expected
    behind it; `beyond` is the first path behind the end.
    """

    after: str | None
    upto: str | None
    first: str | None = None
    at: str | None = None
    beyond: str | None = None
    pages: list[pl.DataFrame] = field(default_factory=list)


def list_ranges(
    store: ObjectStore, prefix: str, connections: int, page: int = PAGE
) -> list[pl.DataFrame]:
    """The pages of a folder and all below it, in LISTING_SCHEMA.

    Args:
        connections: ranges that are listed at a time.
        page: objects that a range gives at a time; one that gave fewer is not split.

    Raises:
        ConnectionError: a range could not be listed to its end.
        UnorderedError: the store does not list in the order of its keys' bytes.
    """
    listing = _Listing(store, prefix, page)
    with ThreadPoolExecutor(connections, "listing") as pool:
        workers = [pool.submit(listing.work) for _ in range(connections)]
        try:
            for worker in wait(workers, return_when=FIRST_EXCEPTION).done:
                worker.result()
        finally:
            listing.stop()
    pages = [LISTING_SCHEMA.to_frame(), *(page for part in listing.done for page in part.pages)]
    return [*pages, *_late(store, prefix, listing.done, pl.concat(pages))]


class _Listing:
    """The ranges of one listing, and the workers' way to share them."""

    def __init__(self, store: ObjectStore, prefix: str, page: int) -> None:
        self.store, self.prefix, self.page = store, prefix, page
        self.end = f"{prefix}0" if prefix else END  # "0" is the character after "/"
        self.alphabet = Alphabet()
        self.changed = Condition()
        self.waiting = [_Range(None, None)]
        self.active: list[_Range] = []
        self.done: list[_Range] = []
        self.stopped = False

    def work(self) -> None:
        """List ranges until there is none left."""
        while (part := self._next()) is not None:
            self._list(part)

    def stop(self) -> None:
        """End every worker at its next page."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def _next(self) -> _Range | None:
        """A range to list: one that waits, or a part of one that is being listed."""
        with self.changed:
            while not self.stopped:
                if self.waiting or self._split():
                    self.active.append(self.waiting.pop())
                    return self.active[-1]
                if not self.active:
                    break
                self.changed.wait()
            return None

    def _split(self) -> bool:
        """Halve the active range with most to come, as far as that can be judged."""
        for part in sorted(self.active, key=self._pages_ahead, reverse=True):
            if self._pages_ahead(part) < SPLIT_PAGES or part.at is None:
                return False
            upto = self.alphabet.middle(part.at, part.upto or self.end)
            if upto is not None:
                self.waiting.append(_Range(upto, part.upto))
                part.upto = upto
                return True
        return False

    def _pages_ahead(self, part: _Range) -> float:
        """How many pages a range may still have, if its keys go on as they were so far."""
        if part.at is None or part.first is None:
            return 0.0
        ahead = self.alphabet.ahead(part.first, part.at, part.upto or self.end)
        return inf if ahead is None else ahead * max(len(part.pages), 1)

    def _list(self, part: _Range) -> None:
        last = part.after or ""
        for page in self.store.pages(self.prefix, part.after, self.page):
            keys = _ascending(self.store.uri(self.prefix), page, last)
            last = str(keys[-1])
            with self.changed:  # the end and what is listed are one: none splits in between
                upto, stopped = part.upto, self.stopped
                if part.first is None:
                    part.first = str(keys[0])
                    self.alphabet.add(keys)
                part.at = last if page.height == self.page else None
                self.changed.notify()
            if stopped:
                return
            if upto is not None and last > upto:
                part.pages.append(page.filter(keys <= upto))
                part.beyond = page["path"].filter(keys > upto)[0]
                break
            part.pages.append(page)
        with self.changed:
            self.active.remove(part)
            self.done.append(part)
            self.changed.notify_all()


def _ascending(place: str, page: pl.DataFrame, last: str) -> pl.Series:
    """The keys of a page, each seen to be greater than the one before it.

    The path of a folder's mark, an empty object `name/`, lacks the slash of its key.
    """
    keys = page["path"]
    wrong = keys <= keys.shift(1, fill_value=last)
    if wrong.any():
        keys = keys + (wrong & (page["size"] == 0)).replace_strict({True: "/", False: ""})
        before = keys.shift(1, fill_value=last)
        faults = (keys <= before).arg_true()
        if len(faults):
            at = faults[0]
            raise UnorderedError(place, f"{page['path'][at]!r} comes after {before[at]!r}")
    return keys


def _late(
    store: ObjectStore, prefix: str, parts: list[_Range], found: pl.DataFrame
) -> list[pl.DataFrame]:
    """What was seen beyond a range and in none, as it was put while the ranges were listed.

    Raises UnorderedError for an object that no listing shows where its key belongs.
    """
    ends = [(part.beyond, part.upto) for part in parts if part.beyond is not None]
    frame = pl.DataFrame(ends, schema=["path", "upto"], orient="row", strict=False)
    late = []
    for path, upto in frame.join(found, on="path", how="anti").iter_rows() if ends else ():
        page = next(store.pages(prefix, upto), LISTING_SCHEMA.to_frame())
        late.append(page.filter(pl.col("path") == path))
        if late[-1].is_empty() and store.exists(path):
            seen = f"from {upto!r} on it does not list {path!r}"
            raise UnorderedError(store.uri(prefix), seen)
    return late
