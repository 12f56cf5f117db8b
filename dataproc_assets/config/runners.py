"""Where and how a job runs, and what it may take to decode one image."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.sagemaker import SageMakerRunnerConfig
from dataproc_assets.config.workers import WorkerConfig

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


class LocalRunnerConfig(WorkerConfig):
    """Processes on this machine.

    With `device` `cuda`, or `auto` where there are GPUs, there is one process a GPU and
    `processes` is not read.
    """

    kind: Literal["local"]
    processes: int = Field(ge=1)


class DaskRunnerConfig(WorkerConfig):
    """Processes on the workers of a Dask cluster that runs already.

    Attributes:
        address: the scheduler's, such as `tcp://10.0.0.5:8786`.
        workers: over how many processes a job is spread.
        resources: what each process takes of the resources that a Dask worker was started with,
            such as `GPU: 1`; the scheduler starts no more on a worker than it has.
        connect_seconds: how long to wait for the scheduler's first answer, and for a worker.
    """

    kind: Literal["dask"]
    address: Annotated[str, Field(pattern=r"^[a-z]+://[^\s@]+$")]
    workers: int = Field(ge=1)
    resources: dict[str, Annotated[float, Field(gt=0)]]
    connect_seconds: float = Field(default=30.0, gt=0)


RunnerConfig = Annotated[
    LocalRunnerConfig | DaskRunnerConfig | SageMakerRunnerConfig, Field(discriminator="kind")
]
