"""Large objects to S3 in parts; whatever ends an upload, none of its parts stays behind."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO

from dataproc_assets.storage.s3_client import s3_client

LARGE = 16 << 20  # bytes of the largest object that is written at once, and of a part
PARTS = 10_000  # S3's limit
AT_A_TIME = 4
UNIT = 1 << 20


def put_in_parts(bucket: str, key: str, source: BinaryIO, size: int) -> str | None:
    """Write an object of `size` bytes, each part with a SHA-256 that the server verifies.

    The object is there when the last part is, whole; else it is not, and the upload is aborted.
    Returns its version, where the bucket keeps versions.

    Raises:
        FileNotFoundError: the upload was aborted by another process.
        OSError: the store refused, or could not be reached.
    """
    length = max(LARGE, -(-size // PARTS // UNIT) * UNIT)
    lock = threading.Lock()
    client = s3_client()
    place = {"Bucket": bucket, "Key": key}
    with _told():
        upload = {
            **place,
            "UploadId": client.create_multipart_upload(**place, ChecksumAlgorithm="SHA256")[
                "UploadId"
            ],
        }

    def part(number: int) -> dict[str, Any]:
        with lock:
            source.seek((number - 1) * length)
            data = source.read(length)
        answer = client.upload_part(
            **upload, PartNumber=number, Body=data, ChecksumAlgorithm="SHA256"
        )
        kept = ("ETag", "ChecksumSHA256")
        return {"PartNumber": number, **{name: answer[name] for name in kept if name in answer}}

    pool = ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="part")
    try:
        with _told():
            parts = list(pool.map(part, range(1, -(-size // length) + 1)))
            done = client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    except BaseException:
        pool.shutdown(cancel_futures=True)  # a part that arrives after the abort would stay
        with _told():
            _abort(client, upload)
        raise
    finally:
        pool.shutdown()
    version = done.get("VersionId")
    return None if version == "null" else version


def unfinished_uploads(bucket: str, prefix: str) -> list[dict[str, Any]]:
    """Bucket, Key and UploadId of what was begun below a prefix and neither ended nor aborted."""
    with _told():
        pages = s3_client().get_paginator("list_multipart_uploads")
        found = pages.paginate(Bucket=bucket, Prefix=prefix)
        uploads = [upload for page in found for upload in page.get("Uploads", [])]
    return [
        {"Bucket": bucket, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        for upload in uploads
    ]


def abort_uploads(bucket: str, prefix: str) -> None:
    """Abort every unfinished upload below a prefix."""
    client = s3_client()
    for upload in unfinished_uploads(bucket, prefix):
        with _told():
            _abort(client, upload)


def _abort(client: Any, upload: dict[str, Any]) -> None:
    try:
        client.abort_multipart_upload(**upload)
    except client.exceptions.NoSuchUpload:
        return  # another process aborted it, or it is complete


@contextmanager
def _told() -> Iterator[None]:
    """The errors of boto3 as those that the rest of storage knows."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        gone = error.response["Error"]["Code"] == "NoSuchUpload"
        raise (FileNotFoundError if gone else ConnectionError)(str(error)) from error
    except BotoCoreError as error:
        raise ConnectionError(str(error)) from error
