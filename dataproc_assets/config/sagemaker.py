"""A job as SageMaker Processing jobs: on which machines, as whom, in which network."""

from typing import Annotated, Literal

from pydantic import Field

from dataproc_assets.config.base import StrictModel
from dataproc_assets.config.workers import WorkerConfig

TagText = Annotated[str, Field(max_length=256)]


class NetworkConfig(StrictModel):
    """The VPC that the instances are in; without it they are in SageMaker's own network.

    They need a way to S3 in any case, such as a gateway endpoint: jobs read and write there.
    """

    subnets: list[str] = Field(min_length=1, max_length=16)
    security_groups: list[str] = Field(min_length=1, max_length=5)
    encrypt_between_instances: bool = False


class SageMakerRunnerConfig(WorkerConfig):
    """Processing jobs of SageMaker, by the usual AWS chain of credentials.

    With `device` `cuda`, or `auto` where an instance has GPUs, there is one process a GPU of
    every instance, else `processes` on each. `price_per_hour` is that of one instance.

    Attributes:
        image: the job image in ECR.
        role: the ARN of the role that the instances take; it reads the crawl and writes the store.
        instance_type, instances: the machines, such as 2 of `ml.g5.xlarge`.
        processes: processes an instance; where there are GPUs, as many as an instance has, so
            that plans count right.
        volume_gb: the disk of an instance.
        max_hours: SageMaker stops a job that runs longer; its finished parts stay.
        retries: how often a job is started again that failed by no fault of its own, for
            instance for want of machines.
        network: the VPC.
        kms_key: the key that the volumes are encrypted with.
        tags: of the job, for instance for the accounting.
        poll_seconds: how often the job is asked how it is.
    """

    kind: Literal["sagemaker"]
    image: Annotated[str, Field(pattern=r"^\S{1,255}$")]
    role: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/\S+$")]
    instance_type: Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
    instances: int = Field(ge=1, le=100)
    processes: int = Field(ge=1)
    volume_gb: int = Field(ge=1, le=16_384)
    max_hours: float = Field(gt=0, le=120)
    retries: int = Field(default=2, ge=0, le=20)
    network: NetworkConfig | None = None
    kms_key: str | None = None
    tags: dict[Annotated[str, Field(min_length=1, max_length=128)], TagText] = Field(
        default_factory=dict, max_length=50
    )
    poll_seconds: float = Field(default=10.0, gt=0)
