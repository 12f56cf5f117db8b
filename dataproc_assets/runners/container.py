"""What a host of a SageMaker Processing job runs: a process a GPU, with their logs and progress.

`python -m dataproc_assets.runners.container [--base DIR]`. Below DIR, `/opt/ml` by default, lies
what the service puts there: `config/resourceconfig.json` names the hosts, `processing/input/`
holds the order and the unit files. `output/message` takes the reason of a failure.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from dataproc_assets.runners.base import Job, JobFailed, Progress
from dataproc_assets.runners.local import supervise, worker_devices
from dataproc_assets.runners.order import PROGRESS, Order
from dataproc_assets.runners.worker import Worker
from dataproc_assets.storage.objects import open_store
from dataproc_assets.storage.s3_client import s3_client

REPORT_SECONDS = 5.0


class Reports:
    """Hands a host's progress and its workers' logs on, the progress at most every 5 s."""

    def __init__(self, host: str, workers: list[Worker], say: Callable[[str], None]) -> None:
        self._host = host
        self._say = say
        self._workers = workers
        self._read = dict.fromkeys(range(len(workers)), 0)
        self._store = open_store(os.environ[PROGRESS])
        self._progress, self._put = Progress(), 0.0

    def __call__(self, progress: Progress) -> None:
        """Report; called about every second."""
        self._progress = progress
        self._forward_logs()
        if time.monotonic() - self._put >= REPORT_SECONDS:
            self._put_progress()

    def close(self) -> None:
        """Leave the last progress, and what the logs still hold."""
        self._forward_logs(to_the_end=True)
        self._put_progress()

    def _put_progress(self) -> None:
        self._put = time.monotonic()
        self._store.put(f"{self._host}.json", json.dumps(asdict(self._progress)).encode())

    def _forward_logs(self, *, to_the_end: bool = False) -> None:
        """Say the lines that were added, the last one once it is whole."""
        for index, worker in enumerate(self._workers):
            if not worker.log.exists():
                continue
            with worker.log.open("rb") as log:
                log.seek(self._read[index])
                added = log.read()
            added = added if to_the_end else added[: added.rfind(b"\n") + 1]
            self._read[index] += len(added)
            for line in added.decode("utf-8", errors="replace").splitlines():
                self._say(f"worker {worker.rank}: {line}")


def run_host(base: Path) -> None:
    """Run this host's workers to their end.

    Raises:
        JobFailed: a worker failed; the others of this host are stopped.
    """
    resources = json.loads((base / "config" / "resourceconfig.json").read_bytes())
    hosts, host = sorted(resources["hosts"]), resources["current_host"]
    inputs = base / "processing" / "input"
    order = Order.model_validate_json((inputs / "config" / "order.json").read_bytes())
    devices = worker_devices(order.runner)
    job = Job(order.module, order.config, {}, order.name)
    with TemporaryDirectory() as temporary, _log(hosts.index(host)) as say:
        root = Path(temporary)
        (root / "todo").symlink_to(inputs / "todo")
        world, first = len(hosts) * len(devices), hosts.index(host) * len(devices)
        workers = [
            Worker(root, first + index, world, job, order.runner, device)
            for index, device in enumerate(devices)
        ]
        reports = Reports(host, workers, say)
        try:
            supervise(workers, job, reports)
        finally:
            reports.close()


@contextmanager
def _log(rank: int) -> Iterator[Callable[[str], None]]:
    """Says a line on the host's own log and, on the first host, in the run that waits for it."""

    def say(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

    if rank or "DAGSTER_PIPES_CONTEXT" not in os.environ:
        yield say
        return
    from dagster_pipes import PipesS3ContextLoader, PipesS3MessageWriter, open_dagster_pipes

    client = s3_client()
    writer = PipesS3MessageWriter(client, interval=REPORT_SECONDS)
    loader = PipesS3ContextLoader(client)
    with open_dagster_pipes(context_loader=loader, message_writer=writer) as pipes:

        def say_both(line: str) -> None:
            say(line)
            pipes.log.info(line)

        yield say_both


def main() -> None:
    """The command line of a container; it ends with code 0, or 1 after a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path("/opt/ml"))
    base = parser.parse_args().base
    try:
        run_host(base)
    except Exception as error:
        reason = (
            error.reason if isinstance(error, JobFailed) else f"{type(error).__name__}: {error}"
        )
        message = base / "output" / "message"
        message.parent.mkdir(parents=True, exist_ok=True)
        message.write_text(reason[:1000], encoding="utf-8")
        raise SystemExit(f"failed: {reason}") from error


if __name__ == "__main__":
    main()
