"""Stage tables: Parquet in key-hash buckets, under a manifest that names each bucket's digest."""

import json
from dataclasses import asdict, dataclass, field, replace
from io import BytesIO

import polars as pl
import polars_hash as plh

from dataproc_assets.storage.digest import bytes_digest, frame_digest, json_digest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet

MANIFEST = "manifest.json"
BUCKET_SEED = 0
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
    """Write a stage table, sorted by its key, and return its manifest.

    Bucket files carry their bytes' digest in their names and the manifest is replaced last, so
    that a reader sees the old table or the new one; a bucket that did not change is not written.
    """
    keys = [key] if isinstance(key, str) else key
    rows = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
    old = table_info(store, path)
    there = dict(store.list(path).select("path", "size").iter_rows())
    written = []
    for index, part in enumerate(_split(rows, keys[0], buckets)):
        ordered = part.sort(keys, maintain_order=True, nulls_last=True)
        data = to_parquet(ordered)
        sha256 = bytes_digest(data)
        file = f"bucket-{index:05d}-{sha256[:16]}.parquet"
        if there.get(f"{path}/{file}") != len(data):
            store.put(f"{path}/{file}", data)
        written.append(Bucket(file, part.height, len(data), sha256, frame_digest(ordered)))
    info = TableInfo(
        digest=json_digest([bucket.digest for bucket in written]),
        rows=rows.height,
        bytes=sum(bucket.bytes for bucket in written),
        key=keys,
        columns={name: str(dtype) for name, dtype in rows.schema.items()},
        buckets=written,
        inputs=inputs or {},
        code_version=code_version,
    )
    if info != old:
        _put_manifest(store, path, info)
    _sweep(store, path, {bucket.file for bucket in written})
    return info


def table_info(store: ObjectStore, path: str) -> TableInfo | None:
    """The manifest of a table; None where there is no such table. Raises ChangedFileError."""
    try:
        raw = json.loads(store.get(f"{path}/{MANIFEST}"))
        return TableInfo(**{**raw, "buckets": [Bucket(**bucket) for bucket in raw["buckets"]]})
    except FileNotFoundError:
        return None
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
    info = table_info(store, path)
    if info is None:
        raise FileNotFoundError(f"{store.uri(path)}: there is no such table; make its asset first")
    try:
        return pl.concat([_scan(store, path, bucket) for bucket in info.buckets])
    except ChangedFileError:
        if table_info(store, path) == info:
            raise
        return read_table(store, path)  # it was replaced meanwhile


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


def _split(rows: pl.DataFrame, key: str, buckets: int) -> list[pl.DataFrame]:
    if buckets == 1:
        return [rows]
    number = plh.col(key).nchash.xxhash64(seed=BUCKET_SEED) % buckets  # type: ignore[attr-defined]
    parts = rows.with_columns(__bucket=number).partition_by("__bucket", as_dict=True)
    empty = rows.clear()
    by_number = {int(name[0]): part.drop("__bucket") for name, part in parts.items()}
    return [by_number.get(index, empty) for index in range(buckets)]
