"""How a job gets to where it runs; one contract for every place."""

from dataproc_assets.config.runners import RunnerConfig
from dataproc_assets.runners.base import Job, JobFailed, JobResult, Progress, Runner
from dataproc_assets.runners.dask import DaskRunner
from dataproc_assets.runners.local import LocalRunner, worker_devices
from dataproc_assets.runners.sagemaker import Messages, SageMakerRunner, no_messages

__all__ = [
    "Job",
    "JobFailed",
    "JobResult",
    "Messages",
    "Progress",
    "Runner",
    "make_runner",
    "worker_count",
    "worker_price",
]


def worker_count(config: RunnerConfig) -> int:
    """Over how many workers a job is spread."""
    if config.kind == "sagemaker":
        return config.instances * config.processes
    return config.workers if config.kind == "dask" else len(worker_devices(config))


def worker_price(config: RunnerConfig) -> float:
    """What an hour of one worker costs."""
    return config.price_per_hour / (config.processes if config.kind == "sagemaker" else 1)


def make_runner(
    config: RunnerConfig, storage: str = "", messages: Messages = no_messages
) -> Runner:
    """The runner that the profile names.

    Args:
        storage: the root that the jobs work on; a runner on other machines has a folder there.
        messages: takes what a job on another machine says.
    """
    if config.kind == "sagemaker":
        return SageMakerRunner(config, storage, messages)
    return DaskRunner(config) if config.kind == "dask" else LocalRunner(config)
