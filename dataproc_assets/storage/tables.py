"""Stage tables: Parquet in key-hash buckets, under a manifest that names each bucket's digest."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO

import polars as pl

from dataproc_assets.storage.digest import bytes_digest, frame_digest, json_digest
from dataproc_assets.storage.key_parts import split
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet

MANIFEST = "manifest.json"
AGAIN = "delete the folder and make its asset again"


class ChangedFileError(Exception):
    """A file is not the one that its manifest names."""


@dataclass(frozen=True)
class Bucket:
    """One file of a table."""

    file: str
    rows: int
    bytes: int
    sha256: str
    digest: str


@dataclass(frozen=True)
class TableInfo:
    """What a manifest says of a table; `digest` is over the rows and is its data version."""

    digest: str
    rows: int
    bytes: int
    key: list[str]
    columns: dict[str, str]
    buckets: list[Bucket]
    inputs: dict[str, str] = field(default_factory=dict)
    code_version: str = ""


class TableWriter:
    """Writes a stage table bucket by bucket, in any order.

    Bucket files carry their bytes' digest in their names and the manifest is replaced last, so
    that a reader sees the old table or the new one; a bucket that did not change is not written.
    """

    def __init__(
        self, store: ObjectStore, path: str, *, key: str | list[str], buckets: int = 1
    ) -> None:
        self.buckets = buckets
        self._store, self._path = store, path
        self._keys = [key] if isinstance(key, str) else key
        self._there = dict(store.list(path).select("path", "size").iter_rows())
        self._written: dict[int, Bucket] = {}
        self._columns: dict[str, str] = {}

    def add(self, rows: pl.DataFrame, parts: int = 1, part: int = 0) -> None:
        """Write the buckets of one of `parts` parts: all rows whose hash modulo `parts` is `part`.

        `parts` divides the number of buckets.
        """
        numbers = range(part, self.buckets, parts)
        if len(numbers) == 1:
            self._write(part, rows)
            return
        for number, bucket in zip(
            numbers, split(rows, self._keys[0], self.buckets, numbers), strict=True
        ):
            self._write(number, bucket)

    def finish(self, inputs: dict[str, str] | None = None, code_version: str = "") -> TableInfo:
        """Replace the manifest: from here on the table is what was added.

        Raises ValueError where a part was not.
        """
        if len(self._written) != self.buckets:
            uri, there = self._store.uri(self._path), len(self._written)
            raise ValueError(f"{uri}: {there} of {self.buckets} buckets were written")
        written = [self._written[number] for number in range(self.buckets)]
        info = TableInfo(
            digest=json_digest([bucket.digest for bucket in written]),
            rows=sum(bucket.rows for bucket in written),
            bytes=sum(bucket.bytes for bucket in written),
            key=self._keys,
            columns=self._columns,
            buckets=written,
            inputs=inputs or {},
            code_version=code_version,
        )
        if info != table_info(self._store, self._path):
            _put_manifest(self._store, self._path, info)
        _sweep(self._store, self._path, {bucket.file for bucket in written})
        return info

    def _write(self, number: int, rows: pl.DataFrame) -> None:
        ordered = rows.sort(self._keys, maintain_order=True, nulls_last=True)
        data = to_parquet(ordered)
        sha256 = bytes_digest(data)
        file = f"bucket-{number:05d}-{sha256[:16]}.parquet"
        if self._there.get(f"{self._path}/{file}") != len(data):
            self._store.put(f"{self._path}/{file}", data)
        self._written[number] = Bucket(file, rows.height, len(data), sha256, frame_digest(ordered))
        self._columns = {name: str(dtype) for name, dtype in rows.schema.items()}


def write_table(
    store: ObjectStore,
    path: str,
    frame: pl.DataFrame | pl.LazyFrame,
    *,
    key: str | list[str],
    buckets: int = 1,
    inputs: dict[str, str] | None = None,
    code_version: str = "",
) -> TableInfo:
    """Write a stage table in one go, sorted by its key, and return its manifest."""
    writer = TableWriter(store, path, key=key, buckets=buckets)
    writer.add(frame.collect() if isinstance(frame, pl.LazyFrame) else frame)
    return writer.finish(inputs, code_version)


def table_info(store: ObjectStore, path: str) -> TableInfo | None:
    """The manifest of a table; None where there is no such table. Raises ChangedFileError."""
    try:
        return parse_info(store, path, store.get(f"{path}/{MANIFEST}"))
    except FileNotFoundError:
        return None


def parse_info(store: ObjectStore, path: str, text: bytes) -> TableInfo:
    """The manifest of a table from its bytes. Raises ChangedFileError where it is none."""
    try:
        raw = json.loads(text)
        return TableInfo(**{**raw, "buckets": [Bucket(**bucket) for bucket in raw["buckets"]]})
    except (ValueError, TypeError, KeyError) as error:
        uri = store.uri(f"{path}/{MANIFEST}")
        raise ChangedFileError(f"{uri}: is no manifest of a table; {AGAIN}") from error


def forget_inputs(store: ObjectStore, path: str) -> None:
    """Leave a table readable, but no longer say what it was made from; no error where none is."""
    info = table_info(store, path)
    if info:
        _put_manifest(store, path, replace(info, inputs={}, code_version=""))


def read_table(store: ObjectStore, path: str) -> pl.LazyFrame:
    """A table's rows in bucket order, each file verified against the manifest.

    Raises:
        FileNotFoundError: the table was never made.
        ChangedFileError: a file was edited, cut or lost.
    """
    info = present_table(store, path)
    try:
        return pl.concat([_scan(store, path, bucket) for bucket in info.buckets])
    except ChangedFileError:
        if table_info(store, path) == info:
            raise
        return read_table(store, path)  # it was replaced meanwhile


def read_part(
    store: ObjectStore, path: str, parts: int, part: int, info: TableInfo | None = None
) -> pl.LazyFrame:
    """The rows whose hash modulo `parts` is `part`: of a table whose buckets `parts` divides.

    `info` is the table's manifest, where its parts are to be those of one and the same table.

    Raises FileNotFoundError and ChangedFileError as `read_table`.
    """
    info = info or present_table(store, path)
    return read_buckets(store, path, range(part, len(info.buckets), parts), info)


def read_buckets(
    store: ObjectStore, path: str, numbers: Iterable[int], info: TableInfo
) -> pl.LazyFrame:
    """The rows of some buckets of a table, at least one, each file verified.

    Raises ChangedFileError as `read_table`.
    """
    return pl.concat([_scan(store, path, info.buckets[number]) for number in numbers])


def present_table(store: ObjectStore, path: str) -> TableInfo:
    """The manifest of a table that must be there. Raises FileNotFoundError, ChangedFileError."""
    info = table_info(store, path)
    if info is None:
        raise FileNotFoundError(f"{store.uri(path)}: there is no such table; make its asset first")
    return info


def _sweep(store: ObjectStore, path: str, keep: set[str]) -> None:
    """Remove the files that no manifest names any more, an interrupted write's among them."""
    for file in store.list(path)["path"].str.strip_prefix(f"{path}/"):
        if file != MANIFEST and file not in keep:
            store.delete(f"{path}/{file}")


def _scan(store: ObjectStore, path: str, bucket: Bucket) -> pl.LazyFrame:
    uri = store.uri(f"{path}/{bucket.file}")
    try:
        data = store.get(f"{path}/{bucket.file}")
    except FileNotFoundError:
        data = b""
    if bytes_digest(data) != bucket.sha256:
        raise ChangedFileError(
            f"{uri}: {'was changed' if data else 'is missing'} since it was written; {AGAIN}"
        )
    return pl.scan_parquet(BytesIO(data))


def _put_manifest(store: ObjectStore, path: str, info: TableInfo) -> None:
    text = json.dumps(asdict(info), indent=1, sort_keys=True, ensure_ascii=False)
    store.put(f"{path}/{MANIFEST}", text.encode())
