"""Where an S3-compatible store is; credentials come from the usual AWS chain, never from YAML."""

from typing import Annotated

from pydantic import Field

from dataproc_assets.config.base import StrictModel


class S3Config(StrictModel):
    """What stands in for `AWS_*` variables of the environment; what is left out comes from there.

    With `path_style` a bucket is the first folder of a URL; without it, it is part of the host's
    name, as AWS wants it of new buckets.
    """

    endpoint: Annotated[str, Field(pattern=r"^https?://[^/@]+/?$")] | None = None
    region: Annotated[str, Field(min_length=1)] | None = None
    path_style: bool = True

    def variables(self) -> dict[str, str]:
        """The environment's variables that say so."""
        style = {"AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false" if self.path_style else "true"}
        endpoint = {"AWS_ENDPOINT_URL_S3": self.endpoint.rstrip("/")} if self.endpoint else {}
        regions = ("AWS_REGION", "AWS_DEFAULT_REGION")
        return {
            **style,
            **endpoint,
            **dict.fromkeys(regions if self.region else (), self.region or ""),
        }
