"""`dataproc release`: what to do with releases that are published."""

import click

from dataproc_assets.commands.release.comfyui import comfyui
from dataproc_assets.commands.release.fetch import fetch_release
from dataproc_assets.commands.release.push import push_release
from dataproc_assets.commands.release.shown import list_releases, release_versions
from dataproc_assets.commands.release.verify import verify_releases


@click.group()
def release() -> None:
    """Published releases: which there are, and whether they are still what was published.

    NAMES are releases, such as demo; without them, all in the profile's storage root.
    """


release.add_command(list_releases)
release.add_command(release_versions)
release.add_command(fetch_release)
release.add_command(verify_releases)
release.add_command(push_release)
release.add_command(comfyui)
