"""The versions that a bucket keeps of its objects, and whether it keeps any."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.s3_errors import explain

Versioning = Literal["require", "enable", "ignore"]


class VersioningError(Exception):
    """A bucket does not keep versions, or it cannot be known; the message has the next step."""


@dataclass(frozen=True)
class ObjectVersion:
    """One state of an object: its path below the store, VersionId, date, and if it is the present.

    `deleted` is a mark that the object was deleted, which has no bytes.
    """

    path: str
    version: str
    modified: datetime
    size: int
    latest: bool
    deleted: bool


def ensure_versioning(store: ObjectStore, mode: Versioning) -> None:
    """See that the bucket of a store keeps versions, as the profile wants it; a folder has none.

    Args:
        mode: `require` that it does, `enable` it where it does not, or `ignore` it.

    Raises:
        VersioningError: it keeps none, or these credentials may not know or change that.
    """
    if mode == "ignore" or not store.is_s3:
        return
    from botocore.exceptions import BotoCoreError, ClientError

    client, (bucket, _) = s3_client(), store.place("")
    right = "s3:GetBucketVersioning"
    try:
        if client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled":
            return
        if mode == "enable":
            right = "s3:PutBucketVersioning"
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
            return
    except (BotoCoreError, ClientError) as error:
        raise VersioningError(
            f"s3://{bucket}: its versioning cannot be read or set: {explain(error)}; let these "
            f"credentials do that ({right}), or set storage.versioning to ignore in conf/profiles"
        ) from error
    raise VersioningError(
        f"s3://{bucket} keeps no versions, and storage.versioning in conf/profiles requires them: "
        "switch the bucket's versioning on, or set it to enable (a release switches it on) or "
        "ignore (what is overwritten or deleted is lost)"
    )


def object_versions(store: ObjectStore, path: str) -> list[ObjectVersion]:
    """All that a bucket still has of the object at a path, newest first; none of a folder.

    Raises ConnectionError where they cannot be listed.
    """
    if not store.is_s3:
        return []
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = store.place(path)
    found = []
    try:
        pages = s3_client().get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, Prefix=key):
            for kind in ("Versions", "DeleteMarkers"):
                found += [
                    ObjectVersion(
                        path,
                        entry["VersionId"],
                        entry["LastModified"],
                        entry.get("Size", 0),
                        entry["IsLatest"],
                        kind == "DeleteMarkers",
                    )
                    for entry in page.get(kind, [])
                    if entry["Key"] == key
                ]
    except (BotoCoreError, ClientError) as error:
        raise ConnectionError(
            f"{store.uri(path)}: its versions cannot be listed: {explain(error)}"
        ) from error
    # the store's order within a second: newest first, in each of its two lists
    return sorted(found, key=lambda entry: (entry.modified, entry.latest), reverse=True)
