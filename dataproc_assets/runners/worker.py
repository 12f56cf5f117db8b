"""One process of a local job: its base folder, its start and end, the files it leaves."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from dataproc_assets.config.workers import WorkerConfig
from dataproc_assets.runners.base import LOG_TAIL_LINES, Job, Progress

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


class Worker:
    """One process of a job, and the files it leaves."""

    def __init__(
        self, root: Path, rank: int, world: int, job: Job, config: WorkerConfig, device: str
    ) -> None:
        self.rank = rank
        self.base = root / f"worker-{rank}"
        self.log = self.base / "log.txt"
        _write_base(
            self.base,
            root,
            rank,
            world,
            {**job.config, **config.on(device).model_dump(mode="json")},
        )
        self._command = [sys.executable, "-m", job.module, "--base", str(self.base)]
        self._environment = worker_environment(config, device)
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1

    def start(self, changed: threading.Event) -> None:
        """Start the process; `changed` is set when it ends."""
        theirs, self._lifeline = os.pipe()
        try:
            with self.log.open("wb") as log:
                process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**self._environment, "DATAPROC_LIFELINE": str(theirs)},
                    pass_fds=(theirs,),
                    start_new_session=True,
                )
        finally:
            os.close(theirs)
        self._process = process

        def report_end() -> None:
            process.wait()
            changed.set()

        threading.Thread(target=report_end, daemon=True).start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs, negative where a signal ended it."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """Kill the process and what it started; safe when it has ended."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def progress(self) -> Progress:
        """What its progress file says; nothing done before there is one."""
        path = self.base / "processing" / "output" / f"progress-{self.rank}.json"
        return Progress(**json.loads(path.read_bytes())) if path.exists() else Progress()

    def failure(self) -> str:
        """Why it failed: its own message, or how it ended."""
        message = self.base / "output" / "message"
        if message.exists():
            return f"worker {self.rank}: {message.read_text(encoding='utf-8')}"
        code = self.exit_code or 0
        if code < 0:
            name = signal.Signals(-code).name
            why = " (out of memory, or killed)" if -code == signal.SIGKILL else ""
            return f"worker {self.rank} was ended by {name}{why}"
        return f"worker {self.rank} ended with exit code {code}"

    def log_tail(self) -> str:
        """The last lines that it wrote."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


def worker_environment(config: WorkerConfig, device: str) -> dict[str, str]:
    """This process's environment with the worker's threads, and its GPU alone.

    Compute threads that wait sleep, unless the environment says otherwise: where readers and
    other processes want the cores, spinning took four times the processor time.
    """
    threads = dict.fromkeys(THREAD_VARIABLES, str(config.threads))
    gpu = device.partition(":")[2]
    own = {**threads, "CUDA_VISIBLE_DEVICES": gpu, "PYTHONUNBUFFERED": "1"}
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **own}


def _write_base(base: Path, root: Path, rank: int, world: int, config: dict[str, object]) -> None:
    hosts = [f"algo-{index:04d}" for index in range(world)]
    inputs = base / "processing" / "input"
    for folder in (base / "config", inputs / "config", base / "processing" / "output"):
        folder.mkdir(parents=True)
    (inputs / "todo").symlink_to(root / "todo")
    resources = {"current_host": hosts[rank], "hosts": hosts}
    (base / "config" / "resourceconfig.json").write_text(json.dumps(resources))
    (inputs / "config" / "job.json").write_text(json.dumps(config))


def visible_gpus() -> list[str]:
    """The GPUs that CUDA would show a process, without loading CUDA."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [gpu.strip() for gpu in chosen.split(",") if gpu.strip() not in ("", "-1")]
    nodes = [path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")]
    return [str(index) for index in range(len(nodes))]


def write_units(root: Path, job: Job) -> None:
    """The unit files, once for all workers."""
    folder = root / "todo"
    folder.mkdir()
    for name, data in job.units.items():
        (folder / name).write_bytes(data)
