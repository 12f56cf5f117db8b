"""`dataproc gallery`: the pages, and what is answered beside them."""

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

import click

from dataproc_assets.commands.lake import the_lake

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from dataproc_assets.gallery.answers import Embed
    from dataproc_assets.gallery.site import Site
    from dataproc_assets.models.text_tower import TextTower
    from dataproc_assets.storage.lake import Lake


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=3001,
    show_default=True,
    help="The port to listen on; 0 takes any free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen on, one that this machine alone can reach.",
)
def gallery(port: int, host: str) -> None:
    """Serve the gallery's pages, from a folder or from S3, until interrupted.

    Beside the pages it answers /search, by key, post, id, hash, tag and words, and /explain, the
    whole way of an image as `dataproc explain` tells it, with pictures. It listens on this machine
    alone: for others, publish the folder of the pages, which are plain files.
    """
    from dataproc_assets.gallery.serve import gallery_server

    lake = the_lake()
    try:
        server = gallery_server(lake.store, host, port, the_site(lake))
    except ValueError as error:
        raise click.BadParameter(
            f"{error}; listen on 127.0.0.1 and forward the port, or publish the pages",
            param_hint="--host",
        ) from None
    except OSError as error:
        raise click.ClickException(
            f"{host}:{port}: {error.strerror}; choose another --port"
        ) from None
    click.echo(f"gallery of {lake.store.url}: http://{host}:{server.server_port}")
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()


def the_site(lake: "Lake") -> "Site":
    """The answers of a project. What is heavy is imported when it is first needed."""
    from dataproc_assets.gallery.site import Means, Site
    from dataproc_assets.jobs.decode import decode
    from dataproc_assets.models.base import DecodedImage
    from dataproc_assets.storage.address import read_address

    limits = lake.project.profile.decode

    def read_picture(uri: str, offset: int | None, length: int | None) -> DecodedImage:
        return decode(read_address(uri, offset, length, limits.max_bytes), limits)

    def state() -> str:
        from dataproc_assets.defs.shown import shown_state

        return shown_state(lake)

    def shown() -> "pl.Series":
        from dataproc_assets.defs.shown import shown_keys

        return shown_keys(lake)

    return Site(lake, Means(read_picture, embedder(lake), state, shown))


def embedder(lake: "Lake") -> "Embed":
    """The text tower of the model that the pictures were embedded by, loaded at the first words."""
    from dataproc_assets.config.metrics import OpenClip
    from dataproc_assets.gallery.answers import NoWordsError

    metric, alone = lake.project.metrics[lake.project.dedup.embedding], Lock()
    towers: list[TextTower] = []

    def embed(words: str) -> "np.ndarray":
        from dataproc_assets.models.text_tower import TextTower
        from dataproc_assets.models.torch_threads import use_threads
        from dataproc_assets.models.weights import WeightsError

        assert isinstance(metric, OpenClip)  # what the configuration was checked for
        with alone:
            if not towers:
                use_threads(1)  # a few words are no work for more
                try:
                    towers.append(TextTower(metric.encoder, f"conf/metrics/{metric.name}.yaml"))
                except WeightsError as error:
                    raise NoWordsError(str(error)) from error
        return towers[0](words)

    return embed
