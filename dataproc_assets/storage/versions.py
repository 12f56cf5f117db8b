"""The versions that a bucket keeps of its objects, and whether it keeps any."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.s3_errors import explain

Versioning = Literal["require", "enable", "ignore"]
AT_ONCE = 1000  # versions that S3 deletes at a time


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
    found = [entry for entry in all_versions(store, path) if entry.path == path]
    # the store's order within a second: newest first, in each of its two lists
    return sorted(found, key=lambda entry: (entry.modified, entry.latest), reverse=True)


def all_versions(store: ObjectStore, prefix: str) -> Iterator[ObjectVersion]:
    """All that a bucket still has of the objects whose path begins so; none of a folder.

    A bucket that never kept versions gives its objects, with the VersionId `null`.
    Raises ConnectionError where they cannot be listed.
    """
    if not store.is_s3:
        return
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = store.place(prefix)
    above = len(key) - len(prefix)
    try:
        pages = s3_client().get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=bucket, Prefix=key):
            for kind in ("Versions", "DeleteMarkers"):
                for entry in page.get(kind, []):
                    yield ObjectVersion(
                        entry["Key"][above:],
                        entry["VersionId"],
                        entry["LastModified"],
                        entry.get("Size", 0),
                        entry["IsLatest"],
                        kind == "DeleteMarkers",
                    )
    except (BotoCoreError, ClientError) as error:
        raise ConnectionError(
            f"{store.uri(prefix)}: its versions cannot be listed: {explain(error)}"
        ) from error


def delete_versions(
    store: ObjectStore, prefix: str, wanted: Callable[[ObjectVersion], bool] = lambda _: True
) -> list[ObjectVersion]:
    """Delete every object whose path begins so for good: its versions and its deletion marks.

    A folder keeps no versions: nothing is deleted there. A bucket that never kept any has one of
    each object, which goes.

    Args:
        wanted: whether one of the versions is to go.

    Returns the versions that were deleted. Safe to be repeated.

    Raises ConnectionError where one cannot be listed or deleted.
    """
    gone = [entry for entry in all_versions(store, prefix) if wanted(entry)]
    # what hides others goes after them: else an older state would be present for a while
    for last in (lambda v: not (v.latest or v.deleted), lambda v: v.latest or v.deleted):
        some = [entry for entry in gone if last(entry)]
        for start in range(0, len(some), AT_ONCE):
            _delete(store, some[start : start + AT_ONCE])
    return gone


def delete_old_versions(store: ObjectStore, prefix: str) -> list[ObjectVersion]:
    """Delete for good what a bucket keeps of objects that were replaced or deleted since."""
    return delete_versions(store, prefix, lambda version: version.deleted or not version.latest)


def _delete(store: ObjectStore, gone: list[ObjectVersion]) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = store.place("")[0]
    keys = [{"Key": store.place(v.path)[1], "VersionId": v.version} for v in gone]
    try:
        answer = s3_client().delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    except (BotoCoreError, ClientError) as error:
        raise ConnectionError(
            f"{store.uri(gone[0].path)}: its versions cannot be deleted: {explain(error)}"
        ) from error
    for error in answer.get("Errors", []):
        raise ConnectionError(
            f"s3://{bucket}/{error['Key']}: version {error.get('VersionId')} cannot be deleted: "
            f"{error.get('Code')} {error.get('Message')}; let these credentials do that "
            "(s3:DeleteObjectVersion), and start again"
        )
