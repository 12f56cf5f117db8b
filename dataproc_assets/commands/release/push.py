"""`dataproc release push`: a release to the Hugging Face hub."""

import os

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.commands.release.named import releases_named


@click.command("push")
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
    from dataproc_assets.commands.bar import bytes_bar
    from dataproc_assets.release.push import PushError, push
    from dataproc_assets.release.revocations import RevocationError

    token = os.environ.get("HF_TOKEN")
    if not token:
        raise click.ClickException("HF_TOKEN is not set: give it a token that may write to the hub")
    store, (manifest,) = releases_named((name,))
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
