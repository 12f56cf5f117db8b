"""The releases that a command is given by name."""

from typing import TYPE_CHECKING

import click

from dataproc_assets.commands.lake import the_lake
from dataproc_assets.storage.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from dataproc_assets.release.manifest import Manifest


def releases_named(
    names: tuple[str, ...], folder: str | None = None
) -> tuple[ObjectStore, list["Manifest"]]:
    """Some releases, or all, and where they are: in the profile's storage root, or in a folder."""
    from dataproc_assets.releases import UnknownRelease, published

    store = open_store(folder) if folder else the_lake().store
    try:
        return store, published(store, names)
    except UnknownRelease as error:
        raise click.BadParameter(str(error), param_hint="NAMES") from None
