"""How record files are fetched and how much of one is read: `crawl.records` of a profile."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from dataproc_assets.config.base import StrictModel

Bytes = Annotated[int, Field(ge=1)]


class RecordFilesConfig(StrictModel):
    """Sidecars are many and small, dumps are few and large.

    `readers` threads fetch files ahead of the parser, which at most `ahead_bytes` wait for. Members
    of one shard with at most `gap_bytes` between them are one request, of up to `span_bytes`. A
    file of more than `stream_bytes` is read in blocks of `block_bytes` while it is parsed.

    A record of more than `record_bytes` is rejected; a compressed file that gives more than
    `file_bytes` is read up to there. What was parsed is kept in units of up to `unit_files` files
    that have about `unit_bytes`, or of one larger file.
    """

    readers: Annotated[int, Field(ge=1, le=256)]
    ahead_bytes: Bytes
    gap_bytes: Annotated[int, Field(ge=0)]
    span_bytes: Bytes
    stream_bytes: Bytes
    block_bytes: Bytes
    record_bytes: Bytes
    file_bytes: Bytes
    unit_files: Annotated[int, Field(ge=1)]
    unit_bytes: Bytes

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ahead_bytes < max(self.span_bytes, self.stream_bytes):
            raise ValueError("ahead_bytes must hold what is fetched at once: span and stream_bytes")
        return self
