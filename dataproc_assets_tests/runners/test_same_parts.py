"""The same units give the same parts, whichever runner and however many workers."""

from pathlib import Path

import pytest

from dataproc_assets.runners import make_runner
from dataproc_assets_tests.jobs.passes import parts, pass_job, runner_config, write_pictures
from dataproc_assets_tests.runners.test_dask import cluster, config

__all__ = ["cluster"]  # the fixture
METRICS = ("pixels", "softmax")


@pytest.mark.slow
@pytest.mark.xdist_group("dask")
def test_every_runner_makes_the_same_parts(cluster, tmp_path: Path) -> None:
    rows = write_pictures(tmp_path / "crawl", 10, list(METRICS))
    units = {f"u{start}": rows[start : start + 3] for start in range(0, 10, 3)}

    def made(name: str, runner) -> dict[str, bytes]:
        result = make_runner(runner).run(pass_job(tmp_path / name, units, METRICS))
        assert result.progress.done == 10
        return parts(tmp_path / name)

    whole = made("local-1", runner_config())
    assert len(whole) == len(units) * len(METRICS)
    assert made("local-2", runner_config(processes=2)) == whole
    for workers in (1, 2, 4):
        assert made(f"dask-{workers}", config(cluster, workers, threads=1)) == whole
