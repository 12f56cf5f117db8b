"""Buckets of their own on the S3 server, and what a test asks of them beside the store."""

import itertools
from typing import Any

from dataproc_assets.storage.multipart import unfinished_uploads
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.versions import ensure_versioning

_NUMBERS = itertools.count()


def new_bucket(*, versioned: bool) -> ObjectStore:
    """An empty store in a new bucket."""
    name = f"bucket-{next(_NUMBERS)}"
    s3_client().create_bucket(Bucket=name)
    store = ObjectStore(f"s3://{name}/store")
    if versioned:
        ensure_versioning(store, "enable")
    return store


def delete_all(store: ObjectStore) -> None:
    """Delete every object as a person does, who knows nothing of versions."""
    for path in store.list()["path"]:
        store.delete(path)


def uploads(store: ObjectStore) -> list[dict[str, Any]]:
    """The unfinished uploads of a store's bucket."""
    return unfinished_uploads(store.place("")[0], "")
