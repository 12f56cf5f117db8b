"""Whether the files of models are there and the right ones, without loading a model."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.weights import File, files_of
from dataproc_assets.models.fetch import FetchError
from dataproc_assets.models.weights import (
    WeightsError,
    difference,
    fault,
    look,
    missing,
    refuse_pickles,
    verified,
)

State = Literal["present", "absent", "mismatch", "refused"]
_differences: dict[tuple[object, ...], str] = {}


@dataclass(frozen=True)
class Use:
    """A file of a model, and who names it: `where` is its YAML and key, as messages begin."""

    owner: str
    where: str
    file: File


@dataclass(frozen=True)
class Found:
    """How a file is on this machine; `fault` is why it cannot be used, as a whole message."""

    state: State
    path: Path | None = None
    fault: str = ""


def uses(*configs: MetricConfig | VaeConfig) -> Iterator[Use]:
    """The files of some metrics and autoencoders, in the order of their YAML."""
    for config in configs:
        kind = "vaes" if isinstance(config, VaeConfig) else "metrics"
        yaml = f"conf/{kind}/{config.name}.yaml"
        for key, file in files_of(config):
            yield Use(config.name, f"{yaml}: {key.partition('/')[0]}", file)


def examine(use: Use) -> Found:
    """How a file is, as it now lies on this machine: nothing is fetched."""
    file, where = use.file, use.where
    try:
        refuse_pickles(file, where)
        path = look(file)
    except WeightsError as error:
        return Found("refused", fault=str(error))
    except FetchError as error:
        return Found("refused", fault=str(fault(file, where, f"{file.uri} {error}")))
    if path is None:
        return Found("absent", fault=str(missing(file, where)))
    if wrong := _difference(file, path):
        return Found("mismatch", path, str(fault(file, where, f"{path} {wrong}")))
    return Found("present", path)


def require(*configs: MetricConfig | VaeConfig) -> None:
    """Raise WeightsError, a line a file, unless all files are there and the right ones.

    Objects of S3 are fetched. A file is read once in this process while it stays the same.
    """
    faults = []
    for use in uses(*configs):
        if examine(use).state == "present":
            continue
        try:
            with verified(use.file, use.where):
                pass
        except WeightsError as error:
            faults.append(str(error))
    if faults:
        raise WeightsError("\n".join(faults))


def _difference(file: File, path: Path) -> str:
    """How a file differs from the pinned one; read again only when it was changed."""
    stat = path.stat()
    key = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns, file.sha256)
    if key not in _differences:
        with path.open("rb") as content:
            _differences[key] = difference(file, path, content)
    return _differences[key]
