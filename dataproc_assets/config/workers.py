"""What a process of a job is given, wherever it runs."""

from typing import Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel


class ReadConfig(StrictModel):
    """How often a read is tried, and when an outage of the storage ends the job.

    `backoff_seconds` is waited before the second try and doubles before each further one. An
    image that still cannot be read stays in `todo`; after `stop_after` of them in a row the job
    fails instead of writing them all off.
    """

    tries: int = Field(ge=1)
    backoff_seconds: float = Field(ge=0)
    stop_after: int = Field(ge=1)


class PlaceConfig(StrictModel):
    """Where and how a process of a job computes: what the runner says of it, not the caller."""

    device: Literal["cpu", "cuda"]
    threads: int = Field(ge=1)
    readers: int = Field(ge=1)
    compile: bool = False
    read: ReadConfig


class WorkerConfig(StrictModel):
    """What every runner says of a worker process.

    `threads` are its compute threads, `readers` its threads that read and decode. With `compile`
    the metrics' networks go through torch.compile on a GPU, when a process first uses them: that
    takes it a minute or more and a C++ compiler. On a CPU it gained nothing and is not done.
    `price_per_hour` is that of one worker, in any currency: plans count with it.
    """

    threads: int = Field(ge=1)
    readers: int = Field(ge=1)
    device: Literal["auto", "cpu", "cuda"]
    compile: bool = False
    read: ReadConfig
    price_per_hour: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    def on(self, device: str) -> PlaceConfig:
        """What a process on `cpu`, `cuda` or `cuda:{n}` is told."""
        kind = device.partition(":")[0]
        values = self.model_dump(include={"threads", "readers", "read"})
        compiled = self.compile and kind == "cuda"
        return PlaceConfig.model_validate({**values, "device": kind, "compile": compiled})
