"""The same units give the same parts, whichever runner and however many workers."""

from pathlib import Path

import pytest

from dataproc_assets.config.runners import RunnerConfig
from dataproc_assets.runners import make_runner
from dataproc_assets_tests.jobs.here import runner_config
from dataproc_assets_tests.jobs.passes import parts, pass_job, write_pictures
from dataproc_assets_tests.runners import test_dask as dask
from dataproc_assets_tests.runners import test_sagemaker as sagemaker
from dataproc_assets_tests.runners.test_dask import cluster
from dataproc_assets_tests.runners.test_sagemaker import service, storage

__all__ = ["cluster", "service", "storage"]  # the fixtures
METRICS = ("pixels", "softmax")


@pytest.mark.slow
@pytest.mark.xdist_group("dask")
def test_every_runner_makes_the_same_parts(cluster, storage: str, tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "crawl", 10, list(METRICS))
    units = {f"u{start}": rows[start : start + 3] for start in range(0, 10, 3)}

    def made(name: str, runner: RunnerConfig) -> dict[str, bytes]:
        root = f"{storage}/{name}" if runner.kind == "sagemaker" else tmp_path / name
        result = make_runner(runner, str(root)).run(pass_job(root, units, METRICS))
        assert result.progress.done == 10
        return parts(root)

    whole = made("local-1", runner_config())
    assert len(whole) == len(units) * len(METRICS)
    assert made("local-2", runner_config(processes=2)) == whole
    for workers in (1, 2, 4):
        assert made(f"dask-{workers}", dask.config(cluster, workers, threads=1)) == whole
    for hosts in (1, 2, 4):
        assert made(f"sagemaker-{hosts}", sagemaker.config(instances=hosts)) == whole
