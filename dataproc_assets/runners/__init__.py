"""How a job gets to where it runs; one contract for every place."""

from dataproc_assets.config.runners import RunnerConfig
from dataproc_assets.runners.base import Job, JobFailed, JobResult, Progress, Runner
from dataproc_assets.runners.dask import DaskRunner
from dataproc_assets.runners.local import LocalRunner, worker_devices

__all__ = ["Job", "JobFailed", "JobResult", "Progress", "Runner", "make_runner", "worker_count"]


def worker_count(config: RunnerConfig) -> int:
    """Over how many workers a job is spread."""
    return config.workers if config.kind == "dask" else len(worker_devices(config))


def make_runner(config: RunnerConfig) -> Runner:
    """The runner that the profile names."""
    return DaskRunner(config) if config.kind == "dask" else LocalRunner(config)
