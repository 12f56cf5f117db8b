"""`dataproc weights`: the files of models."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from dataproc_assets.config.project import load_project

if TYPE_CHECKING:
    from dataproc_assets.models.check import Use


@click.group()
def weights() -> None:
    """The files of models: which there are, what is missing, and getting it.

    NAMES are metrics and VAEs, such as clip or sdxl; without them, what the profile's metrics
    and the releases' VAEs need. Files of the Hugging Face hub go into its cache (HF_HOME), with
    HF_TOKEN where a model is gated; objects of S3 go into DATAPROC_WEIGHTS (default:
    ~/.cache/dataproc/weights).
    """


def _of_weights(command: Callable[..., None]) -> Callable[..., None]:
    """What the commands on weights have in common."""
    option = click.option(
        "--metrics",
        metavar="SET",
        help="Take the metrics of this folder of conf/metrics, e.g. production.",
    )
    return click.argument("names", nargs=-1)(option(command))


@weights.command("list")
@_of_weights
def list_weights(names: tuple[str, ...], metrics: str | None) -> None:
    """Show every file: the line of YAML that names it, its address, its pin and its state.

    Without NAMES, those of VAEs that no release names, too.
    """
    from rich.console import Console

    from dataproc_assets.weights import listing

    table = listing(_weights(names, metrics, unused=True))
    wide = max(Console().width, Console(width=10_000).measure(table).maximum)
    Console(width=wide).print(table)


@weights.command()
@_of_weights
def fetch(names: tuple[str, ...], metrics: str | None) -> None:
    """Get what is missing or damaged, and verify it. Nothing comes twice."""
    from dataproc_assets.weights import fetch as fetch_files

    came = fetch_files(_weights(names, metrics), click.echo)
    click.echo(f"{came} files fetched" if came else "nothing to fetch: every file is there")


@weights.command()
@_of_weights
def check(names: tuple[str, ...], metrics: str | None) -> None:
    """Verify every file; end with code 1 where one is missing or another than the YAML's."""
    from dataproc_assets.weights import faults

    files = _weights(names, metrics)
    wrong = faults(files)
    for line in wrong:
        click.echo(line, err=True)
    if wrong:
        raise SystemExit(1)
    click.echo(f"{len(files)} files are there and the right ones")


def _weights(names: tuple[str, ...], metrics: str | None, unused: bool = False) -> list["Use"]:
    from dataproc_assets.weights import UnknownName, chosen

    try:
        return chosen(load_project(metrics=metrics), names, unused=unused)
    except UnknownName as error:
        raise click.BadParameter(str(error), param_hint="NAMES") from None
