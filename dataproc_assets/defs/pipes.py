"""What a job on another machine says, in the run that waits for it: Dagster Pipes over S3."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import dagster as dg

from dataproc_assets.storage.s3_client import s3_client

if TYPE_CHECKING:
    from dataproc_assets.runners.sagemaker import Messages


def messages(context: dg.AssetExecutionContext) -> "Messages":
    """Opens a session of the run for the messages of a job, whose environment it gives."""
    return partial(_session, context)


@contextmanager
def _session(context: dg.AssetExecutionContext, url: str) -> Iterator[Mapping[str, str]]:
    """A Pipes session over a folder on S3.

    The folder is the job's, not the session's own: whoever joins a running job reads from the
    first message on.
    """
    from dagster_aws.pipes import PipesS3ContextInjector, PipesS3MessageReader
    from dagster_pipes import PipesParams

    class Reader(PipesS3MessageReader):
        @contextmanager
        def get_params(self) -> Iterator[PipesParams]:
            with super().get_params() as params:
                yield {**params, "key_prefix": prefix}

    place = urlsplit(url)
    bucket, prefix = place.netloc, place.path.strip("/")
    client = s3_client()
    with dg.open_pipes_session(
        context,
        PipesS3ContextInjector(bucket=bucket, client=client, key_prefix=f"{prefix}/"),
        Reader(interval=5, bucket=bucket, client=client),
    ) as session:
        yield session.get_bootstrap_env_vars()
