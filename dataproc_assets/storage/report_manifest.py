"""The manifest of an S3 Inventory report: which report is the newest, and what belongs to it."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore, open_store

DATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\dZ")


class ReportError(Exception):
    """An S3 Inventory report cannot be used; the message names the file and the next step."""

    def __init__(self, place: str, what: str, step: str) -> None:
        super().__init__(f"{place}: {what}; {step}")


AGAIN = "take the source out of crawl.reports in conf/profiles, or wait for the next report"


class ReportFile(BaseModel):
    """One file of a report; `key` counts from the root of the bucket."""

    key: Annotated[str, Field(min_length=1)]
    size: Annotated[int, Field(ge=0)]
    md5: Annotated[str, Field(alias="MD5checksum", pattern=r"^[0-9a-fA-F]{32}$")]


class Manifest(BaseModel):
    """What manifest.json says, as far as it is needed; the rest is left unread."""

    source_bucket: str = Field(alias="sourceBucket")
    created: Annotated[int, Field(alias="creationTimestamp", ge=0)]
    format: Literal["CSV", "Parquet", "ORC"] = Field(alias="fileFormat")
    # the names of a CSV's columns; the other formats name their columns themselves
    columns: str = Field(alias="fileSchema")
    files: list[ReportFile]


@dataclass(frozen=True)
class Report:
    """A complete report: its manifest agrees with its checksum.

    Attributes:
        place: the URI of the manifest.
        bucket: the bucket that holds the report.
        taken_at: when the bucket began to be scanned. The report holds what was there then, though
            S3 says that the newest objects of that moment may be missing.
        digest: of the manifest, and so of all files, whose MD5 it names.
    """

    place: str
    bucket: ObjectStore
    manifest: Manifest
    taken_at: datetime
    digest: str


def newest_report(url: str, source_bucket: str) -> Report:
    """The newest complete report below the folder of an S3 Inventory configuration.

    S3 writes the checksum last: a report without one is not finished, and the one before it counts.

    Raises:
        ReportError: there is none, or the newest is broken or of another bucket.
        ConnectionError: the store cannot be listed or read.
    """
    folder = open_store(url.rstrip("/"))
    _, names = folder.folder("")
    dated = sorted((name for name in names if DATED.fullmatch(name)), reverse=True)
    for name in dated:
        try:
            checksum = read_whole(folder, f"{name}/manifest.checksum")
        except FileNotFoundError:
            continue
        return _report(folder, f"{name}/manifest.json", checksum, source_bucket)
    found = f"there are {', '.join(sorted(names)[:5])}" if names else "it is empty"
    raise ReportError(
        folder.url,
        f"there is no complete S3 Inventory report ({found})",
        "crawl.reports in conf/profiles names the folder of the dated reports, "
        f"s3://bucket/prefix/{source_bucket}/config-id; the first comes within 48 hours",
    )


def read_whole(store: ObjectStore, path: str) -> bytes:
    """An object's bytes. Raises FileNotFoundError, ConnectionError."""
    return b"".join(store.stream(path)[1])


def _report(folder: ObjectStore, path: str, checksum: bytes, source_bucket: str) -> Report:
    place = folder.uri(path)
    try:
        data = read_whole(folder, path)
    except FileNotFoundError as error:
        raise ReportError(place, "it is missing, though its checksum is there", AGAIN) from error
    wanted = checksum.decode("ascii", "replace").strip().lower()
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != wanted:
        what = f"its MD5 is {found}, but manifest.checksum says {wanted[:40]!r}"
        raise ReportError(place, what, AGAIN)
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = f"it is no manifest of S3 Inventory: {where + ': ' if where else ''}{first['msg']}"
        raise ReportError(place, what, AGAIN) from error
    if manifest.source_bucket != source_bucket:
        what = f"it is a report of the bucket {manifest.source_bucket!r}, not of {source_bucket!r}"
        raise ReportError(place, what, "correct crawl.reports or crawl.root in conf/profiles")
    bucket = open_store(f"s3://{folder.url.removeprefix('s3://').partition('/')[0]}")
    taken_at = datetime.fromtimestamp(manifest.created / 1000, UTC)
    return Report(place, bucket, manifest, taken_at, bytes_digest(data))
