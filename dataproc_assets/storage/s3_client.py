"""boto3's client of S3, for what obstore does not do; it goes where obstore goes."""

import os
import threading
from functools import lru_cache
from typing import Any

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_MAKING = threading.Lock()


def s3_endpoint() -> str:
    """The endpoint that the `AWS_*` variables name; empty where none does."""
    return next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")


def s3_client() -> Any:
    """A client by the `AWS_*` variables, with buckets in the path unless they say otherwise.

    Threads may share it. As long as the variables stay as they are it is the same one: to make
    one takes a quarter of a second.
    """
    named = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    with _MAKING:
        return _client(named)


@lru_cache(maxsize=4)
def _client(_: tuple[tuple[str, str], ...]) -> Any:
    import boto3
    from botocore.config import Config

    hosted = os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST") == "true"
    style = "virtual" if hosted else "path"
    config = Config(s3={"addressing_style": style})
    # boto3's own session keeps the first credentials it saw
    return boto3.Session().client("s3", endpoint_url=s3_endpoint() or None, config=config)
