"""S3 Inventory reports as AWS writes them: the layout, the manifest, the files in every format."""

import gzip
import hashlib
import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import polars as pl
import pyarrow.csv as pc
import pyarrow.parquet as pq
from pyarrow import orc

from dataproc_assets.storage.objects import ObjectStore

FORMATS = ["csv", "csv.gz", "parquet", "orc"]
TITLES = {
    "bucket": "Bucket",
    "key": "Key",
    "version_id": "VersionId",
    "is_latest": "IsLatest",
    "is_delete_marker": "IsDeleteMarker",
    "size": "Size",
    "last_modified_date": "LastModifiedDate",
    "e_tag": "ETag",
    "storage_class": "StorageClass",
}
DAY = "2026-02-01T01-00Z"
TAKEN = datetime(2026, 2, 1, 1, tzinfo=UTC)


@dataclass
class Reports:
    """Writes reports of the objects below a store's URL, into `inventory/BUCKET/daily` of it."""

    store: ObjectStore
    versions: bool = False
    without: tuple[str, ...] = ()
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def bucket(self) -> str:
        return self.store.url.removeprefix("s3://").partition("/")[0]

    @property
    def root(self) -> str:
        return self.store.url.removeprefix(f"s3://{self.bucket}").strip("/")

    @property
    def folder(self) -> str:
        """The folder of the configuration, below the store."""
        return f"inventory/{self.bucket}/daily"

    @property
    def url(self) -> str:
        return self.store.uri(self.folder)

    def rows(self, listing: pl.DataFrame) -> pl.DataFrame:
        """A listing's objects as rows of a report of the whole bucket."""
        above = f"{self.root}/" if self.root else ""
        return listing.select(
            bucket=pl.lit(self.bucket),
            key=pl.lit(above) + pl.col("path"),
            version_id=pl.lit(""),
            is_latest=pl.lit(True),
            is_delete_marker=pl.lit(False),
            size="size",
            last_modified_date=pl.col("modified").dt.cast_time_unit("ms"),
            e_tag="version",
            storage_class=pl.lit("STANDARD"),
        )

    def write(
        self,
        *files: pl.DataFrame,
        form: str = "parquet",
        day: str = DAY,
        taken: datetime = TAKEN,
        checksum: bool = True,
    ) -> str:
        """Write a report of one file each of `files`; returns the path of its manifest."""
        dropped = {*self.without, *(() if self.versions else ("version_id", *FLAGS))}
        entries = []
        for number, rows in enumerate(files):
            data = to_bytes(rows.drop(dropped), form)
            path = f"{self.folder}/data/{day}-{number}.{form}"
            self.store.put(path, data)
            entries.append(
                {
                    "key": f"{self.root}/{path}".strip("/"),
                    "size": len(data),
                    "MD5checksum": hashlib.md5(data).hexdigest(),
                }
            )
        names = [name for name in TITLES if name not in dropped]
        kind = {"parquet": "Parquet", "orc": "ORC"}.get(form, "CSV")
        content = {
            "sourceBucket": self.bucket,
            "destinationBucket": f"arn:aws:s3:::{self.bucket}",
            "version": "2016-11-30",
            "creationTimestamp": str(int(taken.timestamp() * 1000)),
            "fileFormat": kind,
            "fileSchema": ", ".join(TITLES[name] for name in names) if kind == "CSV" else "...",
            "files": entries,
            **self.manifest,
        }
        self.put_manifest(json.dumps(content).encode(), day, checksum)
        self.store.put(f"{self.folder}/hive/dt={day[:16]}/symlink.txt", b"s3://...")
        return f"{self.folder}/{day}/manifest.json"

    def put_manifest(self, data: bytes, day: str = DAY, checksum: bool = True) -> None:
        """Write a manifest and, unless the report is unfinished, its checksum."""
        self.store.put(f"{self.folder}/{day}/manifest.json", data)
        if checksum:
            digest = hashlib.md5(data).hexdigest().encode()
            self.store.put(f"{self.folder}/{day}/manifest.checksum", digest)


FLAGS = ("is_latest", "is_delete_marker")


def to_bytes(rows: pl.DataFrame, form: str) -> bytes:
    """Rows as one file of a report: `csv`, `csv.gz`, `parquet` or `orc`."""
    buffer = io.BytesIO()
    if form == "parquet":
        pq.write_table(rows.to_arrow(), buffer, row_group_size=2)
    elif form == "orc":
        time = pl.col("last_modified_date").dt.replace_time_zone(None).dt.cast_time_unit("ns")
        naive = rows.with_columns(time) if "last_modified_date" in rows.columns else rows
        orc.write_table(naive.to_arrow(compat_level=pl.CompatLevel.oldest()), buffer)
    else:
        texts = rows.with_columns(
            pl.col(name).map_elements(lambda key: quote_plus(key, safe="/"), pl.String)
            for name in ("key",)
            if name in rows.columns
        ).with_columns(
            pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            for name, kind in rows.schema.items()
            if kind.is_temporal()
        )
        strings = texts.select(pl.all().cast(pl.String)).to_arrow()
        options = pc.WriteOptions(include_header=False, quoting_style="all_valid")
        pc.write_csv(strings, buffer, options)
    data = buffer.getvalue()
    return gzip.compress(data, mtime=0) if form == "csv.gz" else data
