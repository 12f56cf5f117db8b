"""Copying an object where it lies: its bytes do not come to this machine."""

import os
import shutil
from pathlib import Path
from typing import Any

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.s3_errors import explain
from dataproc_assets.storage.writes import WriteError

MOST = 5 << 30  # bytes that S3 copies at once


def copy_object(store: ObjectStore, source: str, target: str, beside: str) -> str | None:
    """Copy an object within a store; the copy's version, where the bucket keeps them.

    In a folder both are one file under two names where its file system has that: nobody changes
    what is published. It is made in the folder `beside`, as by `ObjectStore.making`.

    Raises:
        FileNotFoundError: there is no such object.
        WriteError: the copy cannot be written.
    """
    if store.is_s3:
        return _copy_on_s3(store, source, target)
    with store.making(target, beside) as made:
        path = Path(store.uri(source))
        try:
            os.link(path, made.path)
        except FileNotFoundError:
            raise
        except OSError:  # a file system without links
            shutil.copyfile(path, made.path)
    return None


def _copy_on_s3(store: ObjectStore, source: str, target: str) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError

    client: Any = s3_client()
    size = store.size(source)
    (bucket, key), (_, to) = store.place(source), store.place(target)
    place = {"Bucket": bucket, "Key": to, "CopySource": {"Bucket": bucket, "Key": key}}
    try:
        if size <= MOST:
            answer = client.copy_object(**place)
        else:
            client.copy(place["CopySource"], bucket, to)  # in parts
            answer = client.head_object(Bucket=bucket, Key=to)
    except (BotoCoreError, ClientError) as error:
        raise WriteError(
            f"{store.uri(target)}: cannot be copied from {source}: {explain(error)}"
        ) from error
    version = answer.get("VersionId")
    return None if version == "null" else version
