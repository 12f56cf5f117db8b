"""A folder or an S3 prefix behind one interface."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, BinaryIO

import obstore
import polars as pl
from obstore.exceptions import AlreadyExistsError, GenericError

from dataproc_assets.storage.connect import connect
from dataproc_assets.storage.listed import listed_rows, listed_version, sorted_listing
from dataproc_assets.storage.multipart import LARGE, abort_uploads, put_in_parts
from dataproc_assets.storage.refusals import listing, reading, writing
from dataproc_assets.storage.writes import Made, room

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, PutResult
    from obstore.store import ObjectStore as ObstoreStore

PIECE = 8 << 20  # bytes that a stream gives at a time
FILE_PIECE = 1 << 20  # those of a file: small enough for the processor's cache
STAGED = re.compile(r"#\d+$")  # how the client names a file of a folder while it writes it
PAGE = 1000  # objects that S3 gives at a time


class TooLargeError(Exception):
    """An object is larger than its reader takes; `size` is in bytes."""

    def __init__(self, uri: str, size: int) -> None:
        super().__init__(f"{uri}: {size} bytes")
        self.size = size


class ObjectStore:
    """Objects below one URL: a folder's path or `s3://bucket/prefix`.

    Paths are relative to the URL, with `/` between their parts; `..` is refused by the store.
    Every write is atomic: an object is there whole or not at all.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") or "/"
        self.is_s3 = url.startswith("s3://")
        if not self.is_s3:
            self.url = str(Path(self.url).expanduser().absolute())

    @cached_property
    def _store(self) -> "ObstoreStore":
        """Made at the first use: a folder that is only looked for is not made by that."""
        return connect(self.url)

    def get(self, path: str, max_bytes: int | None = None, *, version: str | None = None) -> bytes:
        """The object's bytes, now or as they were in a version of a versioned bucket.

        Raises:
            FileNotFoundError: there is no such object.
            TooLargeError: it has more than `max_bytes`; it is then not read.
        """
        answer = obstore.get(self._store, path, options=_at(version))
        if max_bytes is not None and answer.meta["size"] > max_bytes:
            raise TooLargeError(self.uri(path), answer.meta["size"])
        return bytes(answer.bytes())

    def get_range(self, path: str, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`. Raises FileNotFoundError, EOFError where it is shorter."""
        try:
            data = bytes(obstore.get_range(self._store, path, start=offset, length=length))
        except GenericError:
            if offset < self.size(path):
                raise
            data = b""
        if len(data) != length:
            raise EOFError(f"{self.uri(path)}: {len(data)} of {length} bytes at {offset}")
        return data

    def stream(self, path: str, *, version: str | None = None) -> tuple[int, Iterator[bytes]]:
        """The object's size and its bytes, piece by piece: for one too large to hold in memory.

        `version` is that of a versioned bucket; by default the present one is read.

        Raises:
            FileNotFoundError: there is no such object.
            ConnectionError: it cannot be read, or, from the iterator, not to its end.
        """
        with reading(self.uri(path)):
            answer = obstore.get(self._store, path, options=_at(version))
        return answer.meta["size"], self._pieces(path, answer)

    def _pieces(self, path: str, answer: "GetResult") -> Iterator[bytes]:
        with reading(self.uri(path)):
            if self.is_s3:
                for piece in answer.stream(min_chunk_size=PIECE):
                    yield bytes(piece)
                return
            # the client gives a file's bytes many times slower than the file system does
            with Path(self.uri(path)).open("rb") as file:
                while piece := file.read(FILE_PIECE):
                    yield piece

    def put(self, path: str, data: bytes) -> str | None:
        """Write an object, replacing what was there; its version, where the bucket keeps them.

        Raises WriteError.
        """
        if self.is_s3 and len(data) > LARGE:
            return self._put_large(path, BytesIO(data), len(data))
        with writing(self.uri(path)):
            return _version(obstore.put(self._store, path, data, use_multipart=False))

    def put_new(self, path: str, data: bytes) -> bool:
        """Write an object unless one is there; False when one was. Raises WriteError."""
        with writing(self.uri(path)):
            try:
                obstore.put(self._store, path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def put_file(self, path: str, local: Path) -> str | None:
        """Write an object from a local file, in parts where it is large, as `put` does."""
        size = local.stat().st_size
        if self.is_s3 and size > LARGE:
            with local.open("rb") as file:
                return self._put_large(path, file, size)
        with writing(self.uri(path)):
            return _version(obstore.put(self._store, path, local))

    def _put_large(self, path: str, source: BinaryIO, size: int) -> str | None:
        with writing(self.uri(path)):
            return put_in_parts(*self.place(path), source, size)

    @contextmanager
    def making(self, path: str, beside: str) -> Iterator[Made]:
        """A local file to write; when the block ends well it is the object at `path`.

        In a folder it is made in the folder `beside`, so that it need not be copied: what a killed
        process leaves there may be removed. For S3 it is made in the folder for temporary files.
        Raises WriteError where there is no room for it.
        """
        near = None if self.is_s3 else Path(self.uri(beside))
        if near is not None:
            near.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=near) as folder:
            made = Made(Path(folder) / "file")
            with room(Path(folder).parent):
                yield made
            if near is None:
                made.version = self.put_file(path, made.path)
            else:
                target = Path(self.uri(path))
                target.parent.mkdir(parents=True, exist_ok=True)
                made.path.replace(target)

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        try:
            obstore.head(self._store, path)
        except FileNotFoundError:
            return False
        return True

    def size(self, path: str) -> int:
        """The object's size in bytes. Raises FileNotFoundError."""
        return obstore.head(self._store, path)["size"]

    def stat(self, path: str) -> tuple[int, str]:
        """The object's size in bytes and its version, as a listing gives them now.

        Raises FileNotFoundError, ConnectionError.
        """
        with reading(self.uri(path)):
            meta = obstore.head(self._store, path)
        return meta["size"], listed_version(meta, tagged=self.is_s3)

    def list(self, prefix: str = "") -> pl.DataFrame:
        """All objects below a folder, one row a path, sorted by path, in LISTING_SCHEMA.

        `version` is the ETag of an S3 object, and size and modification time (us) of a file.
        """
        return sorted_listing(self.pages(prefix))

    def pages(
        self, prefix: str = "", after: str | None = None, size: int = PAGE
    ) -> Iterator[pl.DataFrame]:
        """The objects below a folder as the store gives them, in LISTING_SCHEMA.

        Args:
            after: where to begin: of a store that lists in the order of its keys' bytes, all
                objects with a greater key follow.
            size: how many are given at a time; only the last page has fewer.

        Raises, from the iterator, ConnectionError where the store cannot be listed to the end, and
        OddKeyError where a key is no path.
        """
        options = {"offset": after, "chunk_size": size}
        with listing(self._below(prefix)):
            pages = obstore.list(self._store, prefix or None, return_arrow=True, **options)
            for page in pages:
                yield listed_rows(page, tagged=self.is_s3)

    def folder(self, prefix: str) -> tuple[pl.DataFrame, "list[str]"]:
        """The objects right in a folder, in LISTING_SCHEMA, and the paths of its sub-folders.

        Raises ConnectionError where the store cannot be listed, and OddKeyError as `pages`.
        """
        with listing(self._below(prefix)):
            found = obstore.list_with_delimiter(self._store, prefix or None, return_arrow=True)
        rows = listed_rows(found["objects"], tagged=self.is_s3)
        return rows, [str(path) for path in found["common_prefixes"]]

    def delete(self, path: str) -> None:
        """Remove an object; no error where there is none."""
        try:
            obstore.delete(self._store, path)
        except FileNotFoundError:
            return

    def abandon(self, prefix: str) -> None:
        """Remove what writes that were killed left below a folder; none may be at work there.

        Those are parts of S3's uploads and the client's unnamed copies of files.
        """
        if self.is_s3:
            abort_uploads(*self.place(f"{prefix}/"))
            return
        for file in Path(self.uri(prefix)).rglob("*#*"):
            if STAGED.search(file.name):
                file.unlink(missing_ok=True)

    def place(self, path: str) -> tuple[str, str]:
        """An object's bucket and key on S3."""
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        return bucket, f"{prefix}/{path}".lstrip("/")

    def uri(self, path: str) -> str:
        """The absolute URI of an object: a file's path or `s3://bucket/key`."""
        return f"{self.url.rstrip('/')}/{path}"

    def _below(self, prefix: str) -> str:
        return self.uri(prefix) if prefix else self.url

    def check(self, prefix: str = "") -> None:
        """Raise ConnectionError, naming the URL and the cause, where a folder can't be listed."""
        if not self.is_s3 and not Path(self.url).is_dir():
            raise ConnectionError(f"{self.url}: there is no such folder")
        with listing(self._below(prefix)):
            next(iter(obstore.list(self._store, prefix or None, chunk_size=1)), None)


def _at(version: str | None) -> "GetOptions":
    return {"version": version} if version else {}


def _version(answer: "PutResult") -> str | None:
    """The version that a put was told; a bucket that keeps none any more says `null`."""
    version = answer["version"]
    return None if version == "null" else version


@cache
def open_store(url: str) -> ObjectStore:
    """The store at a URL. Credentials, region and endpoint of S3 come from `AWS_*` variables."""
    return ObjectStore(url)
