"""A worker's place among the others, the folders it was given, and its share of the units.

The folder contract is SageMaker Processing's, below a base folder: `config/resourceconfig.json`
names the hosts, `processing/input/` holds what was copied in, `processing/output/` what goes
back, and `output/message` the reason of a failure.
"""

import argparse
import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from dataproc_assets.storage.units import SUFFIX

LIFELINE = "DATAPROC_LIFELINE"
Main = Callable[[dict[str, Any], Path, Path, int, int], None]


@dataclass(frozen=True)
class Host:
    """One worker: its base folder, its rank and how many there are."""

    base: Path
    rank: int
    world: int

    @property
    def inputs(self) -> Path:
        """The folder that the inputs were copied to."""
        return self.base / "processing" / "input"

    @property
    def outputs(self) -> Path:
        """The folder that is copied back; made when it is missing."""
        path = self.base / "processing" / "output"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def config(self) -> dict[str, Any]:
        """The job's configuration, `processing/input/config/job.json`."""
        return json.loads((self.inputs / "config" / "job.json").read_text(encoding="utf-8"))

    def fail(self, error: BaseException) -> None:
        """Leave the reason of a failure where the service, or the runner, looks for it."""
        path = self.base / "output" / "message"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{type(error).__name__}: {error}"[:1000], encoding="utf-8")


def read_host(base: Path) -> Host:
    """The worker whose base folder this is.

    Raises:
        FileNotFoundError: the folder has no `config/resourceconfig.json`.
        ValueError: the current host is not among the hosts.
    """
    path = base / "config" / "resourceconfig.json"
    resources = json.loads(path.read_text(encoding="utf-8"))
    hosts = sorted(resources["hosts"])
    if resources["current_host"] not in hosts:
        raise ValueError(f"{path}: current_host {resources['current_host']!r} is not in hosts")
    return Host(base, hosts.index(resources["current_host"]), len(hosts))


def share(names: list[str], rank: int, world: int) -> list[str]:
    """The names that are this worker's: every `world`-th of the sorted names, from `rank`."""
    return sorted(names)[rank::world]


def shared_units(inputs: Path, rank: int, world: int) -> dict[str, Path]:
    """This worker's share of the unit files in `inputs`/todo, by the unit's name."""
    folder = inputs / "todo"
    names = share([path.name for path in folder.glob(f"*{SUFFIX}")], rank, world)
    return {name.removesuffix(SUFFIX): folder / name for name in names}


def run_worker(main: Main, about: str | None) -> NoReturn:
    """The command line of a job: `main` of this worker's configuration, folders and rank.

    The process ends here, with code 0, or with 1 after a failure, which is printed and left for
    the runner.
    """
    follow_parent()
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--base", type=Path, default=Path("/opt/ml"))
    host = read_host(parser.parse_args().base)
    try:
        main(host.config(), host.inputs, host.outputs, host.rank, host.world)
    except Exception as error:
        traceback.print_exc()
        host.fail(error)
        _end(1)
    _end(0)


def _end(code: int) -> NoReturn:
    """End the process without the interpreter's own clean-up.

    A reader thread may still be inside a model's library, where Python cannot stop it. Python's
    clean-up ends such a thread by unwinding its stack, and C++ code answers that with SIGABRT:
    a job whose parts are all written would count as failed.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def follow_parent() -> None:
    """End this process when the one that started it is gone, however that ended.

    The runner holds the other end of the pipe that LIFELINE names; the system closes it when
    the runner dies. Without LIFELINE nothing is watched.
    """
    lifeline = os.environ.get(LIFELINE)
    if lifeline is None:
        return

    def watch(descriptor: int) -> None:
        os.read(descriptor, 1)
        os._exit(1)

    threading.Thread(target=watch, args=(int(lifeline),), daemon=True).start()
