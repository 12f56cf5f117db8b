"""`dataproc release fetch`: a release as a folder of its own."""

from pathlib import Path

import click

from dataproc_assets.commands.lake import the_lake


@click.command("fetch")
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.option(
    "--version",
    metavar="V",
    help="A past state: the digest's beginning or the version that `versions` shows.",
)
@click.option("--no-latents", is_flag=True, help="Leave the latents out, even if there are any.")
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=8,
    show_default=True,
    help="Files that are fetched at a time.",
)
def fetch_release(
    name: str, folder: Path | None, version: str | None, no_latents: bool, threads: int
) -> None:
    """Bring a release and its latents to FOLDER, by default one with the release's name.

    Every byte is verified, and the folder is there when all of it is: what was ended goes on when
    it is started again. It is then a storage root that `verify --folder` and `unpack --root` read.

    What holds revoked images is refused. Fetched again, a folder learns what was revoked since.
    """
    from dataproc_assets.commands.bar import bytes_bar
    from dataproc_assets.release.fetch import fetch
    from dataproc_assets.release.fetch_plan import FetchError, plan_fetch
    from dataproc_assets.release.revocations import RevocationError
    from dataproc_assets.release.states import UnknownStateError

    folder, lake = folder or Path(name), the_lake()
    keys = lake.project.takedown.public_keys
    try:
        plan = plan_fetch(lake.store, name, version=version, latents=not no_latents, trusted=keys)
        for each in plan.withdrawn:
            click.echo(str(each))
        with bytes_bar(f"fetching {name}", plan.bytes(), click.echo) as seen:
            done = fetch(plan, folder, threads=threads, seen=seen)
    except (FetchError, UnknownStateError, RevocationError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error}; start it again to go on from there") from None
    latents, state = "with latents" if plan.latents else "no latents", plan.release.manifest
    click.echo(
        f"{folder}: release {state.name} {state.digest[:16]}, {latents}; "
        f"{done.brought} files brought, {done.kept} were there"
    )
