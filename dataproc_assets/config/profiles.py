"""A profile: where data lies and where jobs run, for one place of work."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import Name, StrictModel
from dataproc_assets.config.runners import DecodeConfig, RunnerConfig

Url = Annotated[str, Field(min_length=1, description="a folder's path or s3://bucket/prefix")]


class StorageConfig(StrictModel):
    """The storage root: a relative path counts from DAGSTER_HOME."""

    root: Url
    table_buckets: Annotated[int, Field(ge=1, le=65_536)]
    unit_images: Annotated[int, Field(ge=1)]


class CrawlRootConfig(StrictModel):
    """Where the crawlers write; each source's prefix lies below it."""

    root: Url


class SensorsConfig(StrictModel):
    """Whether sensors run as soon as the daemon does, and how often they look."""

    status: Literal["running", "stopped"]
    interval_seconds: Annotated[int, Field(ge=5)]


class BudgetConfig(StrictModel):
    """The largest metric pass that starts by itself, in seconds of one worker."""

    pass_seconds: Annotated[float, Field(gt=0)]


class ProfileConfig(StrictModel):
    """One file of conf/profiles.

    `metrics` names a folder below conf/metrics: its files stand in for those of the same name.
    """

    name: str
    metrics: Name | None = None
    storage: StorageConfig
    crawl: CrawlRootConfig
    decode: DecodeConfig
    runner: RunnerConfig
    budget: BudgetConfig
    sensors: SensorsConfig
