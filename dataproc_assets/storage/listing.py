"""Listing a prefix with several requests at a time: folder by folder, or range by range."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event

import polars as pl

from dataproc_assets.config.intake import ByFolders, ByRanges
from dataproc_assets.storage.listed import OddKeyError, sorted_listing
from dataproc_assets.storage.objects import PAGE, ObjectStore
from dataproc_assets.storage.odd_keys import odd_pages
from dataproc_assets.storage.ranges import list_ranges

Found = tuple[list[pl.DataFrame], list[str]]


def list_prefix(store: ObjectStore, prefix: str, config: ByFolders | ByRanges) -> pl.DataFrame:
    """All objects below a folder, exactly as `store.list` gives them.

    Where a key is no path, which `store.list` cannot give, it is among them as NO_PATH; the
    whole is then listed by one request after the other.

    Raises:
        ConnectionError: the store, or any part of it, could not be listed to its end.
        UnorderedError: it was to be listed by ranges, and does not list in the keys' order.
    """
    if not store.is_s3:  # a folder that is away lists as an empty one
        store.check(prefix)
    try:
        if isinstance(config, ByRanges):
            return sorted_listing(list_ranges(store, prefix, config.connections))
        return sorted_listing(_Walk(store, config).pages(prefix))
    except OddKeyError:
        return sorted_listing(odd_pages(store.url, prefix))


class _Walk:
    """One listing by folders. Nothing is left running when it ends, whichever way it ends."""

    def __init__(self, store: ObjectStore, config: ByFolders) -> None:
        self.store, self.config = store, config
        self.stopped = Event()
        self.ended: SimpleQueue[Future[Found]] = SimpleQueue()

    def pages(self, prefix: str) -> Iterator[pl.DataFrame]:
        """The pages of a folder and all below it, in any order."""
        with self._threads() as pool:
            todo, under_way = [prefix], 0
            while todo or under_way:
                for path in todo:
                    pool.submit(self._list, path).add_done_callback(self.ended.put)
                under_way += len(todo) - 1
                pages, todo = self.ended.get().result()
                yield from pages

    @contextmanager
    def _threads(self) -> Iterator[ThreadPoolExecutor]:
        pool = ThreadPoolExecutor(self.config.connections, "listing")
        try:
            yield pool
        finally:
            self.stopped.set()
            pool.shutdown(cancel_futures=True)

    def _list(self, path: str) -> Found:
        """A folder's pages, and the sub-folders that are to be listed by themselves."""
        pages: list[pl.DataFrame] = []
        rows, judged = 0, False
        for page in self.store.pages(path):
            if self.stopped.is_set():
                break
            pages.append(page)
            rows += page.height
            if rows > self.config.split_after and not judged:
                judged = True
                if self._splits(path, pages):
                    objects, folders = self.store.folder(path)
                    return [objects], folders
        return pages, []

    def _splits(self, path: str, pages: list[pl.DataFrame]) -> bool:
        """Whether a folder is listed faster sub-folder by sub-folder, by what was seen of it.

        One listing takes a request for PAGE objects; sub-folders take one each, of which
        `connections` run at a time.
        """
        rest = pl.concat(pages)["path"].str.slice(len(path) + 1 if path else 0)
        below = rest.filter(rest.str.contains("/", literal=True))
        folders = below.str.split("/").list.first().n_unique()
        return 0 < folders * PAGE <= below.len() * self.config.connections
