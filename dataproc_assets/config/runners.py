"""Where and how a job runs, and what it may take to decode one image."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel

Byte = Annotated[int, Field(ge=0, le=255)]


class DecodeConfig(StrictModel):
    """The limits of decoding one image, and what its transparent parts show.

    `max_pixels` is checked from the header, before anything is decoded; `max_seconds` counts
    decoding and the models' preprocessing, not reading. For metrics, a JPEG whose shorter side
    is at least twice `jpeg_side` is decoded at 1/2, 1/4 or 1/8 of its size, never below
    `jpeg_side`: models see less than that anyway.
    """

    max_pixels: int = Field(gt=0)
    max_bytes: int = Field(gt=0)
    max_seconds: float = Field(gt=0)
    background: list[Byte] = Field(min_length=3, max_length=3)
    jpeg_side: int = Field(gt=0)


class ReadConfig(StrictModel):
    """How often a read is tried, and when an outage of the storage ends the job.

    `backoff_seconds` is waited before the second try and doubles before each further one. An
    image that still cannot be read stays in `todo`; after `stop_after` of them in a row the job
    fails instead of writing them all off.
    """

    tries: int = Field(ge=1)
    backoff_seconds: float = Field(ge=0)
    stop_after: int = Field(ge=1)


class RunnerConfig(StrictModel):
    """A job runner: `local` starts processes on this machine.

    With `device` `cuda`, or `auto` where there are GPUs, there is one process a GPU and
    `processes` is not read. `threads` are the compute threads of each process, `readers` its
    threads that read and decode.
    """

    kind: Literal["local"]
    processes: int = Field(ge=1)
    threads: int = Field(ge=1)
    readers: int = Field(ge=1)
    device: Literal["auto", "cpu", "cuda"]
    read: ReadConfig
