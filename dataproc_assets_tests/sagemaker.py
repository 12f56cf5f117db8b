"""SageMaker Processing for tests: moto's API, and the machines behind it.

moto takes the requests and says at once that a job is completed. What the service does with a job
is done here: one process an instance, each with a folder that stands for its `/opt/ml`.

What is assumed of AWS, and not seen there:
- an instance finds `config/resourceconfig.json` with its own name and all names, `algo-1` on;
- inputs of kind S3Prefix with FullyReplicated lie whole in `LocalPath` before the container starts;
- the entrypoint runs with the job's environment and the role's credentials, and nothing of the
  environment of whoever asked; here it is also told where `/opt/ml` is, and where AWS is;
- what it prints goes to CloudWatch, in a stream `{job}/{instance}-…`;
- a job is Failed when an instance's container ends with another code than 0, which ends the
  others; `FailureReason` begins with AlgorithmError; the exit message is that of `output/message`;
- stopping sends SIGTERM, and the job is Stopped.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException
from moto.sagemaker.responses import SageMakerResponse

ROOT = Path(__file__).parent.parent
GROUP = "/aws/sagemaker/ProcessingJobs"
CREATE = SageMakerResponse.create_processing_job
KEPT = ("ProcessingResources", "Environment", "AppSpecification", "ProcessingInputs")


class Job:
    """One job's machines."""

    def __init__(
        self, name: str, request: dict[str, Any], root: Path, endpoint: str, *, outage: bool
    ) -> None:
        self.name, self.request, self.endpoint = name, request, endpoint
        self.answer: dict[str, Any] = {"ProcessingJobStatus": "InProgress"}
        self.processes: list[subprocess.Popen[bytes]] = []
        count = request["ProcessingResources"]["ClusterConfig"]["InstanceCount"]
        self.hosts = [f"algo-{index + 1}" for index in range(count)]
        self.bases = [root / name / host / "opt" / "ml" for host in self.hosts]
        self._stopped = False
        if outage:
            reason = "InternalServerError: We encountered an internal error. Please try again."
            self.answer = {"ProcessingJobStatus": "Failed", "FailureReason": reason}
            return
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        if self.answer["ProcessingJobStatus"] != "InProgress":
            return
        self._stopped = True
        self.answer["ProcessingJobStatus"] = "Stopping"
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, region_name="us-east-1")

    def _run(self) -> None:
        for host, base in zip(self.hosts, self.bases, strict=True):
            self._prepare(host, base)
        if not self._stopped:
            self.processes = [self._start(base) for base in self.bases]
        codes: list[int | None] = [None]
        failed: list[Path] = []
        code: int | None = None
        while any(code is None for code in codes):
            time.sleep(0.05)
            codes = [process.poll() for process in self.processes]
            if not failed and any(codes):
                failed = [base for base, code in zip(self.bases, codes, strict=True) if code]
                code = next(filter(None, codes))
                self._signal(signal.SIGTERM)
        self._put_logs()
        messages = [base / "output" / "message" for base in failed]
        said = [path.read_text("utf-8") for path in messages if path.exists()]
        if self._stopped:
            self.answer["ProcessingJobStatus"] = "Stopped"
        elif failed:
            self.answer |= {
                "ProcessingJobStatus": "Failed",
                "FailureReason": f"AlgorithmError: exit code {code}",
                **({"ExitMessage": said[0]} if said else {}),
            }
        else:
            self.answer["ProcessingJobStatus"] = "Completed"

    def _prepare(self, host: str, base: Path) -> None:
        (base / "config").mkdir(parents=True)
        resources = {"current_host": host, "hosts": self.hosts}
        (base / "config" / "resourceconfig.json").write_text(json.dumps(resources))
        s3 = self.client("s3")
        for one in self.request["ProcessingInputs"]:
            place = urlsplit(one["S3Input"]["S3Uri"])
            prefix = place.path.lstrip("/")
            assert one["S3Input"]["S3DataDistributionType"] == "FullyReplicated"
            local = base / Path(one["S3Input"]["LocalPath"]).relative_to("/opt/ml")
            local.mkdir(parents=True)
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=place.netloc, Prefix=f"{prefix}/"
            )
            for found in (item for page in pages for item in page.get("Contents", [])):
                to = local / found["Key"].removeprefix(f"{prefix}/")
                to.parent.mkdir(parents=True, exist_ok=True)
                s3.download_file(place.netloc, found["Key"], str(to))

    def _start(self, base: Path) -> subprocess.Popen[bytes]:
        entrypoint = self.request["AppSpecification"]["ContainerEntrypoint"]
        role = {
            "AWS_ACCESS_KEY_ID": "role",
            "AWS_SECRET_ACCESS_KEY": "role",
            "AWS_ENDPOINT_URL": self.endpoint,
        }
        image = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(base.parent.parent),
        }
        with (base.parent.parent / "log").open("wb") as log:
            return subprocess.Popen(
                [*entrypoint, "--base", str(base)],
                env={**image, **role, **(self.request["Environment"] or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=base.parent.parent,
            )

    def _put_logs(self) -> None:
        logs = self.client("logs")
        if not logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]:
            logs.create_log_group(logGroupName=GROUP)
        for host, base in zip(self.hosts, self.bases, strict=True):
            path = base.parent.parent / "log"
            stream = {"logGroupName": GROUP, "logStreamName": f"{self.name}/{host}-1"}
            logs.create_log_stream(**stream)
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": line} for line in lines if line]
            if events:
                logs.put_log_events(**stream, logEvents=events)


class Service:
    """The machines of all jobs that moto is asked for.

    `outages` first jobs fail by the service's fault, and a container that is `broken` ends before
    it runs any code of the job.
    """

    def __init__(self, root: Path, endpoint: str) -> None:
        self.root, self.endpoint = root, endpoint
        self.jobs: dict[str, Job] = {}
        self.outages = 0
        self.broken = False

    def create(self, response: SageMakerResponse) -> ActionResult:
        name = response._get_param("ProcessingJobName")
        if name in self.jobs:
            raise ResourceInUseException(f"Job {name} already exists")
        answer = CREATE(response)
        request = {key: response._get_param(key) for key in (*KEPT, "Tags", "NetworkConfig")}
        if self.broken:
            request["AppSpecification"]["ContainerEntrypoint"] = ["sh", "-c", "echo bad; exit 127"]
        response.sagemaker_backend.processing_jobs[name].processing_job_status = "InProgress"
        self.jobs[name] = Job(name, request, self.root, self.endpoint, outage=self.outages > 0)
        self.outages -= 1
        return answer

    def describe(self, response: SageMakerResponse) -> ActionResult:
        name = response._get_param("ProcessingJobName")
        known = response.sagemaker_backend.describe_processing_job(name)
        job = self.jobs[name]
        kept = {key: job.request[key] for key in KEPT if job.request[key] is not None}
        return ActionResult({**known, **kept, **job.answer})

    def stop(self, response: SageMakerResponse) -> EmptyResult:
        self.jobs[response._get_param("ProcessingJobName")].stop()
        return EmptyResult()


@contextmanager
def sagemaker_service(root: Path, endpoint: str) -> Iterator[Service]:
    """A service behind a running moto server of this process."""
    service = Service(root, endpoint)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("create", "describe", "stop"):
            answer = getattr(service, name)
            asked = f"{name}_processing_job"
            patch.setattr(SageMakerResponse, asked, lambda request, answer=answer: answer(request))
        try:
            yield service
        finally:
            for job in service.jobs.values():
                job.stop()
