"""The files of models that a project names: what is there, what is missing, and getting it."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from dataproc_assets.config.metrics import MetricConfig
from dataproc_assets.config.project import Project
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.models import hub
from dataproc_assets.models.check import Found, Use, examine, uses
from dataproc_assets.models.fetch import FetchError, OnBytes, fetch_object
from dataproc_assets.models.weights import WeightsError, fault, refuse_pickles

Say = Callable[[str], None]


class UnknownName(ValueError):  # noqa: N818
    """A name that is neither a metric nor an autoencoder; the message has the nearest one."""


def chosen(project: Project, names: Sequence[str], *, unused: bool = False) -> list[Use]:
    """The files of some metrics and autoencoders, or of all that the profile makes use of.

    `unused` adds the autoencoders that no release names.

    Raises:
        UnknownName: there is no metric and no autoencoder of a name.
    """
    known: dict[str, list[MetricConfig | VaeConfig]] = {}
    for config in (*project.metrics.values(), *project.vaes.values()):
        known.setdefault(config.name, []).append(config)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(known)}"
            raise UnknownName(f"no metric and no VAE named '{name}' ({hint})")
    wanted = [*dict.fromkeys(names)] or ([*known] if unused else used_names(project))
    return list(uses(*(config for name in wanted for config in known[name])))


def used_names(project: Project) -> list[str]:
    """The metrics of the profile, and the autoencoders that releases name."""
    latents = (release.latents for release in project.releases.values())
    vaes = {config.vae for config in latents if config}
    return [*project.metrics, *(name for name in project.vaes if name in vaes)]


def listing(files: Iterable[Use]) -> Table:
    """Each file: where it is named, its address, what pins it, how it is, its size in bytes."""
    table = Table(box=None, pad_edge=False)
    for column in ("where", "key", "file", "pinned by", "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("bytes", justify="right", no_wrap=True)
    for use in files:
        found, file = examine(use), use.file
        yaml, _, key = use.where.partition(": ")
        size = f"{found.path.stat().st_size:,}" if found.path else ""
        table.add_row(file.place or yaml, key, file.uri, _pin(use), found.state, size)
    return table


def faults(files: Iterable[Use]) -> list[str]:
    """Why files cannot be used, a message a file, nothing where all are right."""
    found = (examine(use) for use in files)
    return list(dict.fromkeys(one.fault for one in found if one.fault))


def fetch(files: Iterable[Use], say: Say) -> int:
    """Get what is missing or damaged, verified; how many files came.

    Raises:
        WeightsError: a file could not be fetched, or is another one; those before it are kept.
    """
    came = 0
    for use in _distinct(files):
        refuse_pickles(use.file, use.where)
        found = examine(use)
        if found.state == "present":
            continue
        _fetch(use, found)
        say(f"fetched {use.file.uri}")
        came += 1
    return came


def _fetch(use: Use, found: Found) -> None:
    file, where = use.file, use.where
    again = found.state == "mismatch"
    try:
        if file.uri.startswith("hf://"):
            hub.fetch(file, again=again)
        elif file.uri.startswith("s3://"):
            with _bar(file.uri) as on_bytes:
                fetch_object(file, again=again, on_bytes=on_bytes)
        else:
            raise WeightsError(found.fault)
    except FetchError as error:
        raise fault(file, where, f"{file.uri} {error}") from error
    if wrong := examine(use).fault:
        raise WeightsError(f"{wrong}; that is what was fetched: correct its sha256 or revision")


def _distinct(files: Iterable[Use]) -> Iterator[Use]:
    """Each file once, whoever names it."""
    seen = set()
    for use in files:
        pin = (use.file.uri, use.file.sha256, use.file.revision)
        if pin not in seen:
            seen.add(pin)
            yield use


@contextmanager
def _bar(uri: str) -> Iterator[OnBytes]:
    """A bar that shows bytes as they come; nothing where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, TransferSpeedColumn(), console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(uri.rpartition("/")[2], total=None)
        yield lambda came, size: progress.update(task, completed=came, total=size)


def _pin(use: Use) -> str:
    file = use.file
    pins = (("sha256", file.sha256), ("revision", file.revision))
    return ", ".join(f"{name} {pin[:12]}" for name, pin in pins if pin)
