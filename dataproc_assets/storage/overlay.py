"""A store over another one: what is written stays on top, and what lies below is never changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from dataproc_assets.storage.objects import PAGE, ObjectStore
from dataproc_assets.storage.writes import Made


class Overlay(ObjectStore):
    """The objects of `base` as if they could be changed; every change goes to `scratch`.

    An object that was written is that of `scratch`, one that was deleted is not there, and all
    others are those of `base`. The URI of an object is where its bytes really lie.
    """

    def __init__(self, base: ObjectStore, scratch: ObjectStore) -> None:
        super().__init__(base.url)
        self._base, self._scratch = base, scratch
        self._gone: set[str] = set()

    def get(self, path: str, max_bytes: int | None = None, *, version: str | None = None) -> bytes:
        """As `ObjectStore.get`; an older version is that of `base`."""
        store = self._base if version else self._of(path)
        return store.get(path, max_bytes, version=version)

    def get_range(self, path: str, offset: int, length: int) -> bytes:
        """As `ObjectStore.get_range`."""
        return self._of(path).get_range(path, offset, length)

    def stream(self, path: str, *, version: str | None = None) -> tuple[int, Iterator[bytes]]:
        """As `ObjectStore.stream`; an older version is that of `base`."""
        store = self._base if version else self._of(path)
        return store.stream(path, version=version)

    def put(self, path: str, data: bytes) -> str | None:
        """Write an object on top."""
        version = self._scratch.put(path, data)
        self._gone.discard(path)
        return version

    def put_new(self, path: str, data: bytes) -> bool:
        """Write an object on top unless one is there; False when one was."""
        if self.exists(path):
            return False
        self.put(path, data)
        return True

    def put_file(self, path: str, local: Path) -> str | None:
        """Write an object on top from a local file."""
        version = self._scratch.put_file(path, local)
        self._gone.discard(path)
        return version

    @contextmanager
    def making(self, path: str, beside: str) -> Iterator[Made]:
        """A local file to write, which becomes an object on top."""
        with self._scratch.making(path, beside) as made:
            yield made
        self._gone.discard(path)

    def exists(self, path: str) -> bool:
        """As `ObjectStore.exists`."""
        return path not in self._gone and (self._scratch.exists(path) or self._base.exists(path))

    def size(self, path: str) -> int:
        """As `ObjectStore.size`."""
        return self._of(path).size(path)

    def stat(self, path: str) -> tuple[int, str]:
        """As `ObjectStore.stat`."""
        return self._of(path).stat(path)

    def pages(
        self, prefix: str = "", after: str | None = None, size: int = PAGE
    ) -> Iterator[pl.DataFrame]:
        """As `ObjectStore.pages`, all in one."""
        top, below = self._scratch.list(prefix), self._base.list(prefix)
        hidden = [*self._gone, *top["path"]]
        rows = pl.concat([top, below.filter(~pl.col("path").is_in(hidden))]).sort("path")
        yield rows.filter(pl.col("path") > after) if after else rows

    def delete(self, path: str) -> None:
        """Hide an object; no error where there is none."""
        self._scratch.delete(path)
        self._gone.add(path)

    def abandon(self, prefix: str) -> None:
        """Remove what killed writes left on top."""
        self._scratch.abandon(prefix)

    def uri(self, path: str) -> str:
        """Where the object's bytes lie."""
        return self._of(path).uri(path) if path not in self._gone else self._base.uri(path)

    def _of(self, path: str) -> ObjectStore:
        if path in self._gone:
            raise FileNotFoundError(self._base.uri(path))
        return self._scratch if self._scratch.exists(path) else self._base
