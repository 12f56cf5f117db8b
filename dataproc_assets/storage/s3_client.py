"""boto3's client of S3, for what obstore does not do; it goes where obstore goes."""

import os
from typing import Any


def s3_client() -> Any:
    """A client by the `AWS_*` variables, with buckets in the path unless they say otherwise."""
    import boto3
    from botocore.config import Config

    hosted = os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST") == "true"
    style = "virtual" if hosted else "path"
    return boto3.client("s3", config=Config(s3={"addressing_style": style}))
