import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import boto3
import dagster as dg
import pytest

from dataproc_assets.config.sagemaker import SageMakerRunnerConfig
from dataproc_assets.config.workers import ReadConfig
from dataproc_assets.runners import Job, JobFailed, Progress, make_runner
from dataproc_assets.storage.objects import open_store
from dataproc_assets_tests.dedup.build import planted
from dataproc_assets_tests.defs.test_near_duplicates import (
    WIDTH,
    expected,
    searched,
    small_world,
    write_part,
    write_present,
)
from dataproc_assets_tests.sagemaker import Service, sagemaker_service
from dataproc_assets_tests.sqs import point_to

NUMBERS = count()
NAMES = {f"{name}.todo.parquet": name for name in "abcdefg"}


def config(**changes) -> SageMakerRunnerConfig:
    values = {
        "kind": "sagemaker",
        "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/dataproc:1",
        "role": "arn:aws:iam::123456789012:role/dataproc",
        "instance_type": "ml.m5.large",
        "instances": 1,
        "processes": 1,
        "volume_gb": 30,
        "max_hours": 1,
        "threads": 1,
        "readers": 1,
        "device": "cpu",
        "read": ReadConfig(tries=1, backoff_seconds=0.0, stop_after=4),
        "poll_seconds": 0.1,
    }
    return SageMakerRunnerConfig(**{**values, **changes})


@pytest.fixture
def service(moto, monkeypatch, tmp_path: Path) -> Iterator[Service]:
    point_to(monkeypatch, moto)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    boto3.client("s3", endpoint_url=moto).create_bucket(Bucket="datasets")
    with sagemaker_service(tmp_path / "machines", moto) as made:
        yield made


@pytest.fixture
def storage(service) -> str:
    """An empty storage root on the server."""
    return f"s3://datasets/store-{next(NUMBERS)}"


def job(out: Path, acts: dict[int, str] | None = None, but: str = "", **units: str) -> Job:
    """Units of all NAMES `but` some."""
    out.mkdir(exist_ok=True)
    acted = {str(rank): act for rank, act in (acts or {}).items()}
    contents = {name: units.get(short, "even").encode() for name, short in NAMES.items()}
    contents = {name: data for name, data in contents.items() if NAMES[name] not in but}
    return Job(
        module="dataproc_assets_tests.runners.small_job",
        config={"out": str(out), "acts": acted},
        units=contents,
        name="metrics-pixiv_1",
    )


def left(storage: str) -> list[str]:
    return open_store(storage).list()["path"].to_list()


@pytest.mark.parametrize(("instances", "processes"), [(1, 1), (2, 1), (2, 2), (4, 1)])
def test_every_unit_is_done_once_by_any_number_of_hosts(
    storage: str, tmp_path: Path, instances: int, processes: int
):
    said: list[Progress] = []
    runner = make_runner(config(instances=instances, processes=processes), storage)
    result = runner.run(job(tmp_path / "out", b="odd"), said.append)
    assert result.workers == instances * processes
    assert result.progress.done == result.progress.total == len(NAMES)
    assert result.progress.errors == {"odd": 1}
    assert said[-1] == result.progress
    ranks = {(tmp_path / "out" / name).read_text().splitlines()[3] for name in NAMES}
    assert len(ranks) == min(result.workers, len(NAMES))
    assert left(storage) == []


def test_the_request_is_what_the_profile_says(service: Service, storage: str, tmp_path: Path):
    made = config(
        instances=2,
        kms_key="key",
        tags={"team": "data"},
        network={"subnets": ["subnet-1"], "security_groups": ["sg-1"]},
    )
    make_runner(made, storage).run(job(tmp_path / "out"))
    ((name, machines),) = service.jobs.items()
    assert name.startswith("dataproc-metrics-pixiv-1-") and name.endswith("-1") and len(name) <= 63
    request = machines.request
    assert request["ProcessingResources"]["ClusterConfig"] == {
        "InstanceCount": 2,
        "InstanceType": "ml.m5.large",
        "VolumeSizeInGB": 30,
        "VolumeKmsKeyId": "key",
    }
    assert request["AppSpecification"]["ImageUri"] == made.image
    assert request["Tags"] == [{"Key": "team", "Value": "data"}]
    assert request["NetworkConfig"]["VpcConfig"] == {
        "Subnets": ["subnet-1"],
        "SecurityGroupIds": ["sg-1"],
    }


@pytest.mark.parametrize(
    ("act", "reason", "logged"),
    [
        ("raise", "worker 1: RuntimeError: weights are missing", ""),
        ("kill", "worker 1 was ended by SIGKILL", "worker 1: about to die"),
        ("exit", "worker 1 ended with exit code 3", ""),
    ],
)
def test_a_worker_that_fails_ends_the_job_with_its_reason_and_log(
    storage: str, tmp_path: Path, act: str, reason: str, logged: str
):
    runner = make_runner(config(instances=2), storage)
    with pytest.raises(JobFailed) as failure:
        runner.run(job(tmp_path / "out", {0: "hang", 1: act}))
    assert reason in failure.value.reason
    assert "AlgorithmError: exit code 1" in failure.value.reason
    assert logged in failure.value.log_tail and "[algo-2-1] failed: " in failure.value.log_tail
    assert left(storage) == []


def test_a_container_that_never_comes_to_its_code_is_named_with_its_log(
    service: Service, storage: str, tmp_path: Path
):
    service.broken = True
    with pytest.raises(JobFailed) as failure:
        make_runner(config(), storage).run(job(tmp_path / "out"))
    assert "Failed: AlgorithmError: exit code 127" in failure.value.reason
    assert failure.value.log_tail == "[algo-1-1] bad"


def test_an_interrupt_stops_the_job(service: Service, storage: str, tmp_path: Path):
    def interrupt(_: Progress) -> None:
        if (tmp_path / "out" / "pid-0").exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_runner(config(), storage).run(job(tmp_path / "out", {0: "hang"}), interrupt)
    (machines,) = service.jobs.values()
    for process in machines.processes:
        process.wait(20)
    _wait_until_gone(int((tmp_path / "out" / "pid-0").read_text()))
    assert machines.answer["ProcessingJobStatus"] in ("Stopping", "Stopped")


def start_and_lose(storage: str, out: Path) -> None:
    """Start a job in another process and kill that, once the job waits for the file `go`."""
    script = (
        "import sys; from pathlib import Path\n"
        "from dataproc_assets.runners import make_runner\n"
        "from dataproc_assets_tests.runners.test_sagemaker import config, job\n"
        "make_runner(config(), sys.argv[1]).run(job(Path(sys.argv[2]), {0: 'wait'}))\n"
    )
    lost = subprocess.Popen([sys.executable, "-c", script, storage, str(out)], env=os.environ)
    try:
        _wait_for(out / "pid-0")
    finally:
        lost.kill()
        lost.wait()


def test_a_lost_orchestrator_joins_its_running_job(service: Service, storage: str, tmp_path: Path):
    out = tmp_path / "out"
    start_and_lose(storage, out)
    runner = make_runner(config(), storage)
    result = runner.run(job(out, {0: "wait"}), lambda _: (out / "go").touch())
    assert (result.progress.done, result.joined) == (len(NAMES), "")
    assert len(service.jobs) == 1
    assert left(storage) == []


def test_a_running_job_of_other_units_is_waited_for_and_said(
    service: Service, storage: str, tmp_path: Path
):
    out = tmp_path / "out"
    start_and_lose(storage, out)
    own = job(out, {0: "wait"}, but="bcdefg", a="other")
    runner = make_runner(config(), storage)
    result = runner.run(own, lambda _: (out / "go").touch())
    assert [result.joined] == list(service.jobs)
    assert (out / "a.todo.parquet").read_text().startswith("even")
    assert runner.run(own).joined == ""
    assert (out / "a.todo.parquet").read_text().startswith("other")
    assert left(storage) == []


def test_a_job_that_is_being_stopped_is_waited_for_and_another_is_started(
    service: Service, storage: str, tmp_path: Path
):
    out = tmp_path / "out"
    start_and_lose(storage, out)
    (machines,) = service.jobs.values()

    def stop(_: Progress) -> None:
        if len(service.jobs) == 1:
            machines.stop()
            (out / "go").touch()

    result = make_runner(config(), storage).run(job(out, {0: "wait"}), stop)
    assert (result.progress.done, len(service.jobs)) == (len(NAMES), 2)


def test_the_services_own_failure_is_tried_again(service: Service, storage: str, tmp_path: Path):
    service.outages = 2
    make_runner(config(retries=2), storage).run(job(tmp_path / "out"))
    assert [name[-2:] for name in sorted(service.jobs)] == ["-1", "-2", "-3"]
    service.outages = 2
    with pytest.raises(JobFailed, match="InternalServerError"):
        make_runner(config(retries=1), storage).run(job(tmp_path / "out", a="other"))


def test_a_service_that_cannot_be_reached_is_said_so(storage: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ConnectionError, match="on SageMaker: Could not connect"):
        make_runner(config(), storage).run(job(tmp_path / "out"))


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.05)


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, pid
        time.sleep(0.05)


def test_near_duplicates_are_searched_by_hosts(storage: str, tmp_path: Path):
    images = {f"pixiv/{n}": vector for n, vector in enumerate(planted(30, WIDTH, 1))}
    world = small_world(tmp_path, job_pairs=0)

    def hosts(profile: dict) -> None:
        profile["storage"]["root"], profile["crawl"]["root"] = storage, "s3://datasets/crawl"
        profile["runner"] = config(instances=2).model_dump(mode="json")

    world.change("profiles/local.yaml", hosts)
    for start in range(0, 30, 10):
        part = {key: images[key] for key in list(images)[start : start + 10]}
        write_part(world.lake, "pixiv", f"unit{start}", part, "v")
    write_present(world.lake, dict.fromkeys(images, "v"))
    found = []

    @dg.asset
    def twice(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        found.extend(searched(world.lake, context) for _ in range(2))
        return dg.MaterializeResult()

    assert dg.materialize([twice]).success
    assert found == [(expected(images), 6), (expected(images), 0)]
