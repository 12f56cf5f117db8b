"""A page that is asked for between two builds: it stands beside theirs until the next one."""

from collections.abc import Callable, Sequence

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery.cards import Cards
from dataproc_assets.gallery.pictures import THUMBS, ReadPicture, picture_path, write_thumbs
from dataproc_assets.gallery.render import Renderer
from dataproc_assets.gallery.tables import GalleryTables, canonical, input_digests
from dataproc_assets.gallery.view import Page
from dataproc_assets.gallery.withhold import Withheld, find_withheld, without
from dataproc_assets.storage.digest import json_digest
from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.version import __version__


def write_page(
    store: ObjectStore,
    states: Sequence[GalleryTables],
    read_picture: ReadPicture,
    config: GalleryConfig,
    make: Callable[[Cards], Page],
) -> str:
    """Write one page into the gallery with the pictures it shows, and return its path.

    Args:
        states: the tables as they are, and as they might be: what any of them withholds is not
            shown. Pictures and their facts are those of the first.
        make: makes the page of the cards that may be shown.

    The next build of the gallery removes the page, and the pictures that no other page shows.
    """
    known = [canonical(tables) for tables in states]
    each = [find_withheld(tables) for tables in known]
    withheld = Withheld(
        frozenset().union(*(one.keys for one in each)),
        frozenset().union(*(one.sha256 for one in each)),
    )
    cards = Cards(without(known[0], withheld), config)
    page, root = make(cards), gallery_path()
    done = write_thumbs(store, root, cards.wanted(), read_picture, config, {})
    paths = {wanted.sha256: picture_path(THUMBS, wanted.sha256) for wanted in cards.wanted()}
    there = {digest: path for digest, path in paths.items() if path in done.files}
    footer = {"version": __version__, "inputs": json_digest(input_digests(known[0]))}
    path = f"{root}/{page.file}"
    store.put(path, Renderer(there, footer).render(page))
    return path
