"""SageMaker's Processing API as the runner needs it: names, starting, state, stopping, logs."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dataproc_assets.config.sagemaker import SageMakerRunnerConfig
from dataproc_assets.runners.base import LOG_TAIL_LINES

if TYPE_CHECKING:
    from sagemaker.core.resources import ProcessingJob

ML = "/opt/ml/processing"
LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
ENTRYPOINT = ["python", "-m", "dataproc_assets.runners.container"]
UNFINISHED = ("InProgress", "Stopping")
ENVIRONMENT_VALUE = 256  # characters, by the API
RETRIED = re.compile(r"InternalServerError|CapacityError|insufficient capacity", re.IGNORECASE)


class Processing:
    """The account's Processing jobs, by the credentials of the usual AWS chain."""

    def __init__(self, config: SageMakerRunnerConfig) -> None:
        import boto3

        self.config = config
        self._session = boto3.Session(region_name=os.environ.get("AWS_REGION"))
        self._account: dict[str, Any] = {
            "session": self._session,
            "region": self._session.region_name,
        }
        # not every container is told where it is, and a bucket is looked for there
        names = ("AWS_REGION", "AWS_DEFAULT_REGION")
        self._region = dict.fromkeys(names, str(self._session.region_name))

    def latest(self, stem: str) -> "tuple[int, ProcessingJob | None]":
        """The highest number that a job `{stem}-{number}` has, and that job if it is unfinished."""
        from sagemaker.core.resources import ProcessingJob

        with _named_errors("list the jobs"):
            found = ProcessingJob.get_all(name_contains=stem, **self._account)
            names = [str(job.processing_job_name) for job in found]
            numbers = [int(name.removeprefix(f"{stem}-")) for name in names]
            if not numbers:
                return 0, None
            job = self.get(f"{stem}-{max(numbers)}")
        return max(numbers), job if job.processing_job_status in UNFINISHED else None

    def get(self, name: str) -> "ProcessingJob":
        """A job that was started."""
        from sagemaker.core.resources import ProcessingJob

        job = ProcessingJob.get(name, **self._account)
        assert job is not None
        return job

    def start(self, name: str, folder: str, environment: Mapping[str, str]) -> "ProcessingJob":
        """Start a job whose `config` and `todo` lie in a folder on S3, or take one of that name.

        Raises:
            PermissionError, RuntimeError: SageMaker refuses it.
            ConnectionError: there is no way to it, or nobody to go there as.
            ValueError: a value of the environment is longer than the API takes.
        """
        from botocore.exceptions import ClientError
        from sagemaker.core.resources import ProcessingJob

        for key, value in environment.items():
            if len(value) > ENVIRONMENT_VALUE:
                raise ValueError(f"{key} has {len(value)} characters: shorten storage.root")
        with _named_errors(f"start {name}"):
            try:
                job = ProcessingJob.create(
                    processing_job_name=name,
                    **self._account,
                    **self._request(folder, {**environment, **self._region}),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ResourceInUse":
                    raise
                return self.get(name)  # somebody else was a moment faster
        assert job is not None
        return job

    def _request(self, folder: str, environment: Mapping[str, str]) -> dict[str, Any]:
        from sagemaker.core import shapes

        config, network = self.config, self.config.network
        cluster = shapes.ProcessingClusterConfig(
            instance_count=config.instances,
            instance_type=config.instance_type,
            volume_size_in_gb=config.volume_gb,
            **({"volume_kms_key_id": config.kms_key} if config.kms_key else {}),
        )
        inputs = [
            shapes.ProcessingInput(
                input_name=part,
                s3_input=shapes.ProcessingS3Input(
                    s3_uri=f"{folder}/{part}",
                    local_path=f"{ML}/input/{part}",
                    s3_data_type="S3Prefix",
                    s3_input_mode="File",
                    s3_data_distribution_type="FullyReplicated",
                ),
            )
            for part in ("config", "todo")
        ]
        request: dict[str, Any] = {
            "processing_resources": shapes.ProcessingResources(cluster_config=cluster),
            "app_specification": shapes.AppSpecification(
                image_uri=config.image, container_entrypoint=ENTRYPOINT
            ),
            "role_arn": config.role,
            "environment": dict(environment),
            "processing_inputs": inputs,
            "stopping_condition": shapes.ProcessingStoppingCondition(
                max_runtime_in_seconds=int(config.max_hours * 3600)
            ),
            "tags": [shapes.Tag(key=k, value=v) for k, v in sorted(config.tags.items())],
        }
        if network is not None:
            request["network_config"] = shapes.NetworkConfig(
                enable_inter_container_traffic_encryption=network.encrypt_between_instances,
                vpc_config=shapes.VpcConfig(
                    subnets=network.subnets, security_group_ids=network.security_groups
                ),
            )
        return request

    def log_tail(self, name: str) -> str:
        """The last lines of each host's log, as far as they can be read."""
        from botocore.exceptions import BotoCoreError, ClientError

        logs = self._session.client("logs")
        lines = []
        try:
            streams = logs.describe_log_streams(
                logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/"
            )["logStreams"]
            for stream in sorted(stream["logStreamName"] for stream in streams):
                events = logs.get_log_events(
                    logGroupName=LOG_GROUP, logStreamName=stream, limit=LOG_TAIL_LINES
                )["events"]
                lines += [f"[{stream.partition('/')[2]}] {event['message']}" for event in events]
        except (BotoCoreError, ClientError) as error:
            lines.append(f"(its log in {LOG_GROUP} cannot be read: {error})")
        return "\n".join(lines)


@contextmanager
def _named_errors(what: str) -> Iterator[None]:
    """Failures of a request as Python's own kinds, with what to look at."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        denied = "AccessDenied" in code or "Token" in code or "Signature" in code
        kind = PermissionError if denied else RuntimeError
        raise kind(
            f"SageMaker would not {what}: {code}: {message}. Look at the credentials, and at "
            "runner.role, image, instance_type and network in the profile"
        ) from error
    except BotoCoreError as error:
        raise ConnectionError(f"cannot {what} on SageMaker: {error}") from error
