import json

import pytest

from dataproc_assets.runners.base import Job
from dataproc_assets.runners.worker import Worker, worker_environment
from dataproc_assets_tests.jobs.here import runner_config


def test_a_worker_has_its_threads_and_its_gpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    config = runner_config().model_copy(update={"threads": 3})

    environment = worker_environment(config, "cuda:1")

    assert environment["OMP_NUM_THREADS"] == environment["POLARS_MAX_THREADS"] == "3"
    assert environment["CUDA_VISIBLE_DEVICES"] == "1"
    assert worker_environment(config, "cpu")["CUDA_VISIBLE_DEVICES"] == ""


def test_waiting_threads_sleep_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert worker_environment(runner_config(), "cpu")["OMP_WAIT_POLICY"] == "PASSIVE"

    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert worker_environment(runner_config(), "cpu")["OMP_WAIT_POLICY"] == "ACTIVE"


@pytest.mark.parametrize(("device", "compiled"), [("cuda:0", True), ("cpu", False)])
def test_networks_are_compiled_on_gpus_alone(tmp_path, device, compiled) -> None:
    config = runner_config().model_copy(update={"compile": True})

    Worker(tmp_path, 0, 1, Job("module", {}, {}, "small"), config, device)

    told = json.loads((tmp_path / "worker-0/processing/input/config/job.json").read_text())
    assert told["compile"] is compiled
