"""Thumbnails and previews: small WebP files, named by the digest of the original they show."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from PIL import Image

from dataproc_assets.config.gallery import GalleryConfig
from dataproc_assets.storage.digest import bytes_digest
from dataproc_assets.storage.objects import ObjectStore

THUMBS, PREVIEWS = "thumbs", "previews"


class Picture(Protocol):
    """A decoded original: an RGB image and the SHA-256 (hex) of the bytes it was decoded from."""

    @property
    def image(self) -> Image.Image:
        """The pixels, upright."""
        ...

    @property
    def sha256(self) -> str:
        """The digest of the file's bytes."""
        ...


ReadPicture = Callable[[str, int | None, int | None], Picture]


@dataclass(frozen=True)
class Wanted:
    """A picture to be shown: its digest and the address of its bytes."""

    sha256: str
    uri: str
    offset: int | None
    length: int | None


@dataclass(frozen=True)
class File:
    """A file of the gallery as its manifest names it."""

    sha256: str
    size: int


@dataclass
class Written:
    """What `write_thumbs` did: files by path, how many are new, and digests without a picture."""

    files: dict[str, File] = field(default_factory=dict)
    new: int = 0
    missing: dict[str, str] = field(default_factory=dict)


def is_digest(text: str) -> bool:
    """Whether the text is a SHA-256 in hex, and so safe as a file's name."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def picture_path(folder: str, sha256: str) -> str:
    """The path of a picture below the gallery's folder."""
    return f"{folder}/{sha256[:2]}/{sha256}.webp"


def thumbnail(image: Image.Image, side: int, quality: int) -> bytes:
    """WebP bytes of the image with its longer side at most `side`; never larger than it was."""
    scale = min(1.0, side / max(image.size))
    width, height = (max(1, round(length * scale)) for length in image.size)
    small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    buffer = BytesIO()
    small.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def write_thumbs(
    store: ObjectStore,
    root: str,
    wanted: list[Wanted],
    read_picture: ReadPicture,
    config: GalleryConfig,
    known: dict[str, File],
) -> Written:
    """Write the thumbnails that are missing; those in `known` are there and stay as they are."""
    written = Written()
    paths = {item.sha256: picture_path(THUMBS, item.sha256) for item in wanted}
    written.files = {path: known[path] for path in paths.values() if path in known}
    todo = [item for item in wanted if paths[item.sha256] not in known]

    def make(item: Wanted) -> File | str:
        # Whatever is wrong with one file of a crawl, the others are still to be seen.
        try:
            picture = read_picture(item.uri, item.offset, item.length)
            if picture.sha256 != item.sha256:
                return "changed since it was scored"
            data = thumbnail(picture.image, config.thumb_side, config.thumb_quality)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        store.put(f"{root}/{paths[item.sha256]}", data)
        return File(bytes_digest(data), len(data))

    with ThreadPoolExecutor(config.threads) as pool:
        for item, made in zip(todo, pool.map(make, todo), strict=True):
            if isinstance(made, File):
                written.files[paths[item.sha256]] = made
                written.new += 1
            else:
                written.missing[item.sha256] = made
    return written
