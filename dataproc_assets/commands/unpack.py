"""`dataproc unpack`: a release as a folder to train from."""

from pathlib import Path

import click

from dataproc_assets.commands.lake import the_lake


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--recipe", metavar="R", help="Whose prompts; by default the release's first recipe.")
@click.option("--split", metavar="S", default="train", show_default=True, help="Which images.")
@click.option("--no-latents", is_flag=True, help="Leave the latents out, even if there are any.")
@click.option(
    "--root",
    metavar="URL",
    help="Where releases/NAME lies: a folder or s3://…; by default the profile's storage root.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Tars that are read at a time.",
)
def unpack(
    name: str,
    folder: Path,
    recipe: str | None,
    split: str,
    no_latents: bool,
    root: str | None,
    threads: int,
) -> None:
    """Write a release as the folder that kohya's sd-scripts trains from.

    FOLDER gets images/ (the images, a .txt with the prompts of each, and its latent as .npz),
    metadata.json, and dataset.toml for --dataset_config. Every byte is held against the digest
    that was published, and nothing half-written has its final name: what was ended goes on when
    it is started again, and what is there already is not fetched twice. Images that were revoked
    are left out, and taken out of FOLDER where it has them.
    """
    from dataproc_assets.commands.bar import bytes_bar
    from dataproc_assets.release.extract import UnpackError
    from dataproc_assets.release.revocations import RevocationError
    from dataproc_assets.release.unpack import unpack as write
    from dataproc_assets.release.unpack_plan import plan_unpack
    from dataproc_assets.storage.objects import open_store

    store = open_store(root) if root else the_lake().store
    keys = [] if root else the_lake().project.takedown.public_keys
    try:
        plan = plan_unpack(
            store, name, recipe=recipe, split=split, latents=not no_latents, trusted=keys
        )
        with bytes_bar(f"unpacking {name}", plan.bytes(), click.echo) as seen:
            done = write(plan, folder, threads=threads, seen=seen)
    except (UnpackError, FileNotFoundError, RevocationError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error}; start it again to go on from there") from None
    click.echo(
        f"{done.toml}: {done.images} images, {done.latents} latents, prompts of {plan.recipe}"
    )
    for line in done.cautions:
        click.echo(f"mind: {line}")
