import pytest

from dataproc_assets.runners.worker import worker_environment
from dataproc_assets_tests.jobs.passes import runner_config


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
