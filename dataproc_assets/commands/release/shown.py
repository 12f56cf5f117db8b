"""`dataproc release list` and `versions`: which releases and states there are."""

import sys

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.commands.release.named import releases_named

WIDE = 200  # columns of a table that goes to a file


@click.command("list")
@click.argument("names", nargs=-1)
def list_releases(names: tuple[str, ...]) -> None:
    """Show the images, prompts, files and bytes of each release, and whether it has latents.

    A release that was withdrawn is named with the one in its place.
    """
    from rich.console import Console

    from dataproc_assets.releases import listing, withdrawn

    store, found = releases_named(names)
    gone = withdrawn(store, names)
    if found:
        Console().print(listing(store, found))
    for each in gone:
        click.echo(str(each))
    if not found and not gone:
        click.echo(f"{store.url}: no release was published here yet; `dataproc run` makes them")


@click.command("versions")
@click.argument("name")
def release_versions(name: str) -> None:
    """Show all that a versioned bucket still has of a release, deleted and replaced states too.

    `dataproc release fetch NAME --version` takes a digest or a version that is shown here.
    """
    from rich.console import Console

    from dataproc_assets.release.states import states
    from dataproc_assets.releases import history
    from dataproc_assets.storage.layout import release_path
    from dataproc_assets.storage.withdrawn import withdrawals

    store = the_lake().store
    known = states(store, release_path(name))
    gone = withdrawals(store, name)
    if not known and gone:
        raise click.ClickException(f"{gone[-1]}; no state of it is left")
    if not known:
        raise click.ClickException(f"{store.uri(release_path(name))}: nothing was ever published")
    Console(width=None if sys.stdout.isatty() else WIDE).print(history(known))
