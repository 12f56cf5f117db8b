"""A folder or an S3 prefix behind one interface."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import obstore
import polars as pl
import pyarrow as pa
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError
from obstore.store import LocalStore, S3Store

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig
    from obstore.store import ObjectStore as ObstoreStore

PIECE = 8 << 20  # bytes that a stream gives at a time
LISTING_SCHEMA = pl.Schema(
    {
        "path": pl.String,
        "size": pl.Int64,
        "modified": pl.Datetime("us", "UTC"),
        "version": pl.String,
    }
)


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
        if not self.is_s3:
            return cast("ObstoreStore", LocalStore(self.url, mkdir=True))
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        endpoints = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
        endpoint = next((os.environ[name] for name in endpoints if os.environ.get(name)), "")
        plain = endpoint.startswith("http://")  # whoever names such an endpoint means it
        options: ClientConfig = {"allow_http": True} if plain else {}
        store = S3Store(bucket, prefix=prefix or None, client_options=options)
        return cast("ObstoreStore", store)

    def get(self, path: str, max_bytes: int | None = None) -> bytes:
        """The object's bytes.

        Raises:
            FileNotFoundError: there is no such object.
            TooLargeError: it has more than `max_bytes`; it is then not read.
        """
        answer = obstore.get(self._store, path)
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

    def stream(self, path: str) -> tuple[int, Iterator[bytes]]:
        """The object's size and its bytes, piece by piece: for one too large to hold in memory.

        Raises:
            FileNotFoundError: there is no such object.
            ConnectionError: it cannot be read, or, from the iterator, not to its end.
        """
        with self._reading(path):
            answer = obstore.get(self._store, path)
        return answer.meta["size"], self._pieces(path, answer)

    def _pieces(self, path: str, answer: "GetResult") -> Iterator[bytes]:
        with self._reading(path):
            for piece in answer.stream(min_chunk_size=PIECE):
                yield bytes(piece)

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """Whatever keeps an object from being read, as a ConnectionError that says what."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            cause = str(error).partition("\n")[0]
            raise ConnectionError(f"{self.uri(path)}: cannot be read: {cause}") from error

    def put(self, path: str, data: bytes) -> None:
        """Write an object, replacing what was there."""
        obstore.put(self._store, path, data)

    def put_new(self, path: str, data: bytes) -> bool:
        """Write an object unless one is there; False when one was."""
        try:
            obstore.put(self._store, path, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
        return True

    def put_file(self, path: str, local: Path) -> None:
        """Write an object from a local file, in parts where it is large."""
        obstore.put(self._store, path, local)

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

    def list(self, prefix: str = "") -> pl.DataFrame:
        """All objects below a folder, sorted by path, in LISTING_SCHEMA.

        `version` is the ETag of an S3 object, and size and modification time (us) of a file.
        """
        batches = obstore.list(self._store, prefix=prefix or None, return_arrow=True)
        frames = [cast(pl.DataFrame, pl.from_arrow(pa.record_batch(batch))) for batch in batches]
        frames = [frame for frame in frames if frame.height]
        if not frames:
            return LISTING_SCHEMA.to_frame()
        tag = pl.col("e_tag").str.strip_chars('"')
        stamp = pl.format("{}-{}", "size", pl.col("last_modified").dt.epoch("us"))
        return (
            pl.concat(frames)
            .select(
                "path",
                pl.col("size").cast(pl.Int64),
                modified=pl.col("last_modified").cast(LISTING_SCHEMA["modified"]),
                version=tag if self.is_s3 else stamp,
            )
            .sort("path")
        )

    def delete(self, path: str) -> None:
        """Remove an object; no error where there is none."""
        try:
            obstore.delete(self._store, path)
        except FileNotFoundError:
            return

    def uri(self, path: str) -> str:
        """The absolute URI of an object: a file's path or `s3://bucket/key`."""
        return f"{self.url.rstrip('/')}/{path}"

    def check(self) -> None:
        """Raise ConnectionError, naming the URL and the cause, where the store can't be listed."""
        if not self.is_s3 and not Path(self.url).is_dir():
            raise ConnectionError(f"{self.url}: there is no such folder")
        try:
            next(iter(obstore.list(self._store, chunk_size=1)), None)
        except (BaseError, OSError) as error:
            cause = str(error).partition("\n")[0]
            raise ConnectionError(f"{self.url}: cannot be listed: {cause}") from error


@cache
def open_store(url: str) -> ObjectStore:
    """The store at a URL. Credentials, region and endpoint of S3 come from `AWS_*` variables."""
    return ObjectStore(url)
