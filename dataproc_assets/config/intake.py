"""How a source's crawl is found: a listing, or an S3 Inventory report, and a look into shards."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel

ReportUrl = Annotated[str, Field(pattern=r"^s3://[^/]+(/[^/]+)+/?$")]
Connections = Annotated[int, Field(ge=1, le=256, description="requests at a time")]


class ByFolders(StrictModel):
    """List sub-folders side by side: right for every store, whatever the order of its listings.

    A folder with more than `split_after` objects is listed sub-folder by sub-folder, unless these
    hold so few objects each that one listing of all is faster.
    """

    by: Literal["folders"]
    connections: Connections
    split_after: Annotated[int, Field(ge=1)]


class ByRanges(StrictModel):
    """List ranges of keys side by side, so that a flat folder is listed at many places at once.

    For a store that lists in the order of its keys' bytes, as AWS does; any other is refused.
    """

    by: Literal["ranges"]
    connections: Connections


ListingConfig = Annotated[ByFolders | ByRanges, Field(discriminator="by")]

Bytes = Annotated[int, Field(ge=512)]


class ShardConfig(StrictModel):
    """How tar shards are walked.

    `at_once` shards are walked at the same time; where an index beside them says where headers
    are, at most `requests` more ranges are fetched ahead. A walk asks for `header_bytes` behind a
    member of more than `small_bytes`, whose bytes it so leaves out, and reads smaller ones whole,
    in blocks that grow up to `block_bytes`. An index file of more than `index_bytes`, and more
    than `index_files` JSON files in a folder with shards, are not read.
    """

    at_once: Annotated[int, Field(ge=1, le=256)]
    requests: Annotated[int, Field(ge=1, le=256)]
    header_bytes: Bytes
    small_bytes: Bytes
    block_bytes: Bytes
    index_bytes: Bytes
    index_files: Annotated[int, Field(ge=0)]
