"""`dataproc release`: what to do with releases that are published."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.storage.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from dataproc_assets.release.manifest import Manifest

WIDE = 200  # columns of a table that goes to a file


@click.group()
def release() -> None:
    """Published releases: which there are, and whether they are still what was published.

    NAMES are releases, such as demo; without them, all in the profile's storage root.
    """


@release.command("list")
@click.argument("names", nargs=-1)
def list_releases(names: tuple[str, ...]) -> None:
    """Show the images, prompts, files and bytes of each release, and whether it has latents.

    A release that was withdrawn is named with the one in its place.
    """
    from rich.console import Console

    from dataproc_assets.releases import listing, withdrawn

    store, found = _releases(names)
    gone = withdrawn(store, names)
    if found:
        Console().print(listing(store, found))
    for each in gone:
        click.echo(str(each))
    if not found and not gone:
        click.echo(f"{store.url}: no release was published here yet; `dataproc run` makes them")


@release.command("versions")
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


@release.command("fetch")
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


@release.command("verify")
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

    store, found = _releases(names, folder)
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


@release.command("push")
@click.argument("name")
@click.option("--repo", required=True, metavar="OWNER/NAME", help="The dataset repository.")
@click.option(
    "--private/--public",
    default=True,
    show_default=True,
    help="Who sees a repository that is made now; one that is there stays as it is.",
)
@click.option("--revision", metavar="BRANCH", help="Push to this branch, made if need be.")
def push_release(name: str, repo: str, private: bool, revision: str | None) -> None:
    """Send a release to a dataset repository of the Hugging Face hub.

    Every byte is verified first. What the branch has already is not sent again, and the manifest
    comes with the last commit. A branch that holds another release, or anything else, is left
    alone, and a release that holds revoked images is not sent. HF_TOKEN must hold a token that may
    write there; HF_ENDPOINT names another hub.
    """
    import os

    from dataproc_assets.commands.bar import bytes_bar
    from dataproc_assets.release.push import PushError, push
    from dataproc_assets.release.revocations import RevocationError

    token = os.environ.get("HF_TOKEN")
    if not token:
        raise click.ClickException("HF_TOKEN is not set: give it a token that may write to the hub")
    store, (manifest,) = _releases((name,))
    total = sum(entry.size for entry in manifest.files.values())
    try:
        with bytes_bar(f"pushing {name}", total, click.echo) as seen:
            done = push(
                store,
                name,
                repo,
                token=token,
                endpoint=os.environ.get("HF_ENDPOINT"),
                private=private,
                revision=revision,
                trusted=the_lake().project.takedown.public_keys,
                seen=seen,
            )
    except (PushError, RevocationError) as error:
        raise click.ClickException(str(error)) from None
    what = f"{done.sent} files sent" if done.sent else "nothing to send: it is all there"
    click.echo(f"{done.url}: {what} (commit {done.commit[:10]})")


@release.command("comfyui")
@click.argument("name")
@click.option("--recipe", metavar="R", help="Whose prompts; by default the release's first recipe.")
@click.option(
    "--checkpoint",
    metavar="FILE",
    default="model.safetensors",
    show_default=True,
    help="A file of ComfyUI's models/checkpoints: what was trained on the release.",
)
@click.option(
    "--api", is_flag=True, help="Write what ComfyUI's /prompt takes, not what its page opens."
)
def comfyui(name: str, recipe: str | None, checkpoint: str, api: bool) -> None:
    """Print a ComfyUI workflow that asks a model as a release's recipe taught it.

    The prompt is that of a good image of the release's commonest bucket, whose size it draws; what
    is not wanted are the recipe's words for its worst images.
    """
    import json

    from dataproc_assets.release.comfyui import ask, graph, to_api, to_workflow
    from dataproc_assets.release.manifest import read_manifest
    from dataproc_assets.release.publish import read_train
    from dataproc_assets.storage.layout import latents_path

    store, (manifest,) = _releases((name,))
    recipes = manifest.config["recipes"]
    chosen = recipe or recipes[0]
    if chosen not in recipes:
        raise click.BadParameter(
            f"'{chosen}' is none of {', '.join(recipes)}", param_hint="--recipe"
        )
    project = the_lake().project
    augment = project.curation.augment
    asked = ask(
        read_train(store, name),
        chosen,
        config=project.recipes.get(chosen),
        latents=read_manifest(store, latents_path(manifest.name)),
        buckets=augment.buckets,
        tiers=[cut.name for cut in augment.tiers.cuts],
    )
    nodes = graph(asked, checkpoint, name)
    text = json.dumps(to_api(nodes) if api else to_workflow(nodes), ensure_ascii=False, indent=2)
    click.echo(text)


def _releases(
    names: tuple[str, ...], folder: str | None = None
) -> tuple[ObjectStore, list["Manifest"]]:
    from dataproc_assets.releases import UnknownRelease, published

    store = open_store(folder) if folder else the_lake().store
    try:
        return store, published(store, names)
    except UnknownRelease as error:
        raise click.BadParameter(str(error), param_hint="NAMES") from None
