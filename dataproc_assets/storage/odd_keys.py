"""Listing a prefix of S3 in which keys are no paths: `a//b`, `a/../b`, control characters."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from dataproc_assets.storage.listed import LISTING_SCHEMA
from dataproc_assets.storage.s3_client import s3_client
from dataproc_assets.storage.s3_errors import explain


def odd_pages(url: str, prefix: str) -> Iterator[pl.DataFrame]:
    """The objects below a folder of `s3://bucket/prefix`, in LISTING_SCHEMA, some at a time.

    One request after the other by boto3, which hands every key on as it is: for who has met a
    key that the store's other client cannot take.

    Raises ConnectionError, from the iterator, where the bucket cannot be listed to the end.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, _, root = url.removeprefix("s3://").partition("/")
    above = f"{root}/" if root else ""
    below = f"{above}{prefix}/" if prefix else above
    try:
        pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below)
        for page in pages:
            yield _rows(page.get("Contents", []), above)
    except (BotoCoreError, ClientError, OSError) as error:
        raise ConnectionError(f"{url}/{prefix}: cannot be listed: {explain(error)}") from error


def _rows(objects: list[dict[str, Any]], above: str) -> pl.DataFrame:
    """Objects as boto3 gives them; the mark of a folder, `name/`, has the folder's path."""
    rows = [
        {
            "path": found["Key"].removeprefix(above).removesuffix("/"),
            "size": found["Size"],
            "modified": found["LastModified"],
            "version": found["ETag"].strip('"'),
        }
        for found in objects
    ]
    return pl.DataFrame(rows, schema=LISTING_SCHEMA).filter(pl.col("path") != "")
