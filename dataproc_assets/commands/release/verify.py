"""`dataproc release verify`: whether releases are still what was published."""

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.commands.release.named import releases_named


@click.command("verify")
@click.argument("names", nargs=-1)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False),
    help="What `fetch` brought, in place of the profile's storage root.",
)
def verify_releases(names: tuple[str, ...], folder: str | None) -> None:
    """Read every byte of releases and latents; end with code 1 where one is another.

    Each file is held against the digest that the manifest names; a file too many, one that is
    missing, a gap among the shards and images that are revoked are told too.
    """
    from dataproc_assets.release.revocations import RevocationError
    from dataproc_assets.releases import faults, withdrawn

    store, found = releases_named(names, folder)
    keys = [] if folder else the_lake().project.takedown.public_keys
    for each in withdrawn(store, names) if names else []:
        click.echo(str(each))
    wrong = 0
    try:
        for what, problems in faults(store, found, keys):
            click.echo(f"{what}: {f'{len(problems)} wrong' if problems else 'as published'}")
            for line in problems:
                click.echo(f"  {line}", err=True)
            wrong += len(problems)
    except RevocationError as error:
        raise click.ClickException(str(error)) from None
    if wrong:
        raise SystemExit(1)
