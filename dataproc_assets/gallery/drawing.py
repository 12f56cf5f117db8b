"""Thumbnails that no page shows, drawn when they are asked for and kept in memory."""

from collections import OrderedDict
from threading import Lock

import polars as pl

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.gallery.pictures import ReadPicture, Wanted, thumbnail
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.lookup import matching


class Drawing:
    """Draws the thumbnail of a key's picture; those asked for last are remembered."""

    def __init__(self, lake: Lake, read_picture: ReadPicture, config: GalleryConfig) -> None:
        self._lake, self._read, self._config = lake, read_picture, config
        self._drawn: OrderedDict[str, bytes] = OrderedDict()
        self._places: OrderedDict[str, Wanted] = OrderedDict()
        self._alone = Lock()

    def prepare(self, pictures: dict[str, str]) -> None:
        """Look up where pictures lie, of many at once: digests (SHA-256, hex) by key."""
        missing = {key: digest for key, digest in pictures.items() if digest not in self._places}
        for source in sorted({key.partition("/")[0] for key in missing}):
            own = [key for key in missing if key.startswith(f"{source}/")]
            names = pl.col("image_key").is_in(own)
            columns = ("image_key", "uri", "offset", "length")
            path = self._lake.path("inventory", source)
            for key, *place in matching(self._lake.store, path, names, columns).sort("uri").rows():
                self._keep(self._places, missing[key], Wanted(missing[key], *place))

    def of(self, key: str, sha256: str) -> bytes | None:
        """WebP bytes; None where the picture cannot be read, or is no longer the one scored."""
        drawn = self._drawn.get(sha256)
        if drawn is None:
            self.prepare({key: sha256})
            drawn = self._draw(sha256)
            if drawn is not None:
                self._keep(self._drawn, sha256, drawn)
        return drawn

    def _draw(self, sha256: str) -> bytes | None:
        wanted = self._places.get(sha256)
        if wanted is None:
            return None
        try:
            picture = self._read(wanted.uri, wanted.offset, wanted.length)
        except Exception:  # whatever is wrong with one file of a crawl
            return None
        if picture.sha256 != sha256:
            return None
        return thumbnail(picture.image, self._config.thumb_side, self._config.thumb_quality)

    def _keep(self, known: OrderedDict, digest: str, value: object) -> None:
        with self._alone:
            known[digest] = value
            while len(known) > self._config.search.pictures:
                known.popitem(last=False)
