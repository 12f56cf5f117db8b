"""A profile: where data lies and where jobs run, for one place of work."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dataproc_assets.config.base import Name, StrictModel
from dataproc_assets.config.intake import ListingConfig, ReportUrl, ShardConfig
from dataproc_assets.config.queues import QueueConfig
from dataproc_assets.config.record_files import RecordFilesConfig
from dataproc_assets.config.runners import DecodeConfig, RunnerConfig
from dataproc_assets.config.s3 import S3Config

Url = Annotated[str, Field(min_length=1, description="a folder's path or s3://bucket/prefix")]


class StorageConfig(StrictModel):
    """The storage root, and how much of it is worked on at a time.

    A relative root counts from DAGSTER_HOME. Intake holds at most `memory_mb` of rows between its
    steps; what is more waits in the folder for temporary files (`TMPDIR`). `versioning` is what a
    release does about that of its bucket: `require` it, `enable` it, or `ignore` it.
    """

    root: Url
    table_buckets: Annotated[int, Field(ge=1, le=65_536)]
    unit_images: Annotated[int, Field(ge=1)]
    memory_mb: Annotated[int, Field(ge=64)]
    versioning: Literal["require", "enable", "ignore"]


class CrawlRootConfig(StrictModel):
    """Where the crawlers write; each source's prefix lies below it.

    `reports` names, for a source, the folder of an S3 Inventory configuration, which holds the
    dated reports (`s3://bucket/prefix/source-bucket/config-id`): that source's objects are then
    read from the newest report, not listed. `queues` names, for a source, the SQS queue that the
    bucket sends its events to: intake then adds them to the last complete listing.
    """

    root: Url
    listing: ListingConfig
    shards: ShardConfig
    records: RecordFilesConfig
    reports: dict[str, ReportUrl] = Field(default_factory=dict)
    queues: dict[str, QueueConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_on_s3_where_it_must_be(self) -> Self:
        if self.root.startswith("s3://"):
            return self
        if self.listing.by == "ranges":
            raise ValueError("listing.by is ranges, but root is a folder: write folders")
        if self.reports:
            raise ValueError("reports are of an S3 bucket, but root is a folder: leave them out")
        if self.queues:
            raise ValueError("queues are of an S3 bucket, but root is a folder: leave them out")
        return self


class SensorsConfig(StrictModel):
    """Whether sensors run as soon as the daemon does, and how often they look.

    `listing_interval_seconds` is that of the sensors that list a whole crawl to see a change.
    """

    status: Literal["running", "stopped"]
    interval_seconds: Annotated[int, Field(ge=5)]
    listing_interval_seconds: Annotated[int, Field(ge=5)]


class BudgetConfig(StrictModel):
    """What jobs may take, by their estimate.

    Attributes:
        pass_seconds: the largest metric pass that starts by itself, in seconds of one worker.
        pass_hours: a pass that takes longer is not started at all, in hours on the clock.
        pass_cost: one that costs more is not started at all, in the currency of the prices.
    """

    pass_seconds: Annotated[float, Field(gt=0)]
    pass_hours: Annotated[float, Field(gt=0)] | None = None
    pass_cost: Annotated[float, Field(gt=0)] | None = None


class ProfileConfig(StrictModel):
    """One file of conf/profiles.

    `metrics` names a folder below conf/metrics: its files stand in for those of the same name.
    `s3` says where the store of `s3://` roots is, where that is not left to the environment.
    """

    name: str
    metrics: Name | None = None
    s3: S3Config | None = None
    storage: StorageConfig
    crawl: CrawlRootConfig
    decode: DecodeConfig
    runner: RunnerConfig
    budget: BudgetConfig
    sensors: SensorsConfig

    @model_validator(mode="after")
    def _is_on_s3_where_its_jobs_are(self) -> Self:
        for name, root in (("storage", self.storage.root), ("crawl", self.crawl.root)):
            if self.runner.kind == "sagemaker" and not root.startswith("s3://"):
                raise ValueError(
                    f"runner.kind is sagemaker, whose machines see no folder of this one: "
                    f"{name}.root must be on s3://"
                )
        return self
