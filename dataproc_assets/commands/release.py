"""`dataproc release`: what to do with releases that are published."""

from typing import TYPE_CHECKING

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.storage.objects import ObjectStore

if TYPE_CHECKING:
    from dataproc_assets.release.manifest import Manifest


@click.group()
def release() -> None:
    """Published releases: which there are, and whether they are still what was published.

    NAMES are releases, such as demo; without them, all in the profile's storage root.
    """


@release.command("list")
@click.argument("names", nargs=-1)
def list_releases(names: tuple[str, ...]) -> None:
    """Show the images, prompts, files and bytes of each release, and whether it has latents."""
    from rich.console import Console

    from dataproc_assets.releases import listing

    store, found = _releases(names)
    if found:
        Console().print(listing(store, found))
    else:
        click.echo(f"{store.url}: no release was published here yet; `dataproc run` makes them")


@release.command("verify")
@click.argument("names", nargs=-1)
def verify_releases(names: tuple[str, ...]) -> None:
    """Read every byte of releases and latents; end with code 1 where one is another.

    Each file is held against the digest that the manifest names; a file too many, one that is
    missing and a gap among the shards are told too.
    """
    from dataproc_assets.releases import faults

    store, found = _releases(names)
    wrong = 0
    for what, problems in faults(store, found):
        click.echo(f"{what}: {f'{len(problems)} wrong' if problems else 'as published'}")
        for line in problems:
            click.echo(f"  {line}", err=True)
        wrong += len(problems)
    if wrong:
        raise SystemExit(1)


def _releases(names: tuple[str, ...]) -> tuple[ObjectStore, list["Manifest"]]:
    from dataproc_assets.releases import UnknownRelease, published

    store = the_lake().store
    try:
        return store, published(store, names)
    except UnknownRelease as error:
        raise click.BadParameter(str(error), param_hint="NAMES") from None
