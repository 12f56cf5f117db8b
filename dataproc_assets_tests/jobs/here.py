"""A worker of a job in the tests' own process."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dataproc_assets.config.runners import LocalRunnerConfig
from dataproc_assets.config.workers import ReadConfig


def runner_config(processes: int = 1, readers: int = 2) -> LocalRunnerConfig:
    """Local processes on the CPU that try a read once."""
    return LocalRunnerConfig(
        kind="local",
        processes=processes,
        threads=1,
        readers=readers,
        device="cpu",
        read=ReadConfig(tries=1, backoff_seconds=0.0, stop_after=4),
    )


def work_here(
    main: Callable[[dict[str, Any], Path, Path, int, int], None],
    config: Mapping[str, Any],
    units: Mapping[str, bytes],
    folder: Path,
    rank: int = 0,
    world: int = 1,
    readers: int = 2,
) -> dict:
    """One worker's share of a job's units; what its progress file says at the end.

    A process of its own loads torch first, which takes longer than all these tests.
    """
    inputs, outputs = folder / "input", folder / "output"
    shutil.rmtree(inputs, ignore_errors=True)
    (inputs / "todo").mkdir(parents=True)
    outputs.mkdir(exist_ok=True)
    for name, data in units.items():
        (inputs / "todo" / name).write_bytes(data)
    place = runner_config(readers=readers).on("cpu").model_dump()
    main({**config, **place}, inputs, outputs, rank, world)
    return json.loads((outputs / f"progress-{rank}.json").read_text())
