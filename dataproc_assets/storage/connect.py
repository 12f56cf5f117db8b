"""obstore's client of a folder or of an S3 prefix, by the `AWS_*` variables."""

import os
from typing import TYPE_CHECKING, cast

from obstore.store import LocalStore, S3Store

from dataproc_assets.storage.s3_client import s3_endpoint

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, S3Config


def connect(url: str) -> "ObjectStore":
    """The client of a folder, which is made where it is missing, or of `s3://bucket/prefix`."""
    if not url.startswith("s3://"):
        return cast("ObjectStore", LocalStore(url, mkdir=True))
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    endpoint = s3_endpoint()
    plain = endpoint.startswith("http://")  # whoever names such an endpoint means it
    options: ClientConfig = {"allow_http": True} if plain else {}
    place: S3Config = {"checksum_algorithm": "SHA256"}  # the server verifies what it got
    if endpoint and os.environ.get("AWS_VIRTUAL_HOSTED_STYLE_REQUEST") == "true":
        # the client takes such an endpoint as the bucket's own
        place["aws_endpoint_url_s3"] = endpoint.replace("://", f"://{bucket}.", 1)
    store = S3Store(bucket, prefix=prefix or None, config=place, client_options=options)
    return cast("ObjectStore", store)
