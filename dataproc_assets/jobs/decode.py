"""Bytes of unknown origin to one upright sRGB picture, or a reason why not."""

import hashlib
import re
import warnings
from io import BytesIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from dataproc_assets.config.runners import DecodeConfig
from dataproc_assets.jobs.colour import SIDEWAYS, orientation_of, split_alpha, to_srgb, upright
from dataproc_assets.models.base import DecodedImage

# Loaded here, once, because Pillow otherwise loads every plugin it has from the first thread
# that meets a file it does not know.
PLUGINS = (
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
    GifImagePlugin,
    AvifImagePlugin,
    BmpImagePlugin,
    TiffImagePlugin,
)
# Formats whose decoders are safe on hostile files; EPS, for one, runs Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
# `max_pixels` takes the place of Pillow's limit, whose error does not name the size.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of every odd tag of every file; what matters comes as an exception.
warnings.filterwarnings("ignore", module=r"PIL\.")


class DecodeError(Exception):
    """Why an image cannot be decoded: a kind, and after a colon what was found.

    Kinds: empty, too_many_bytes, not_an_image, too_many_pixels, truncated, broken.
    """


def decode(data: bytes, config: DecodeConfig, least_side: int | None = None) -> DecodedImage:
    """The first frame: upright, sRGB, its transparent parts on the background.

    With `least_side` the picture of a JPEG may come at 1/2, 1/4 or 1/8 of its size, as long as
    neither side falls below that many pixels; `width` and `height` tell the full size always.

    Raises:
        DecodeError: and nothing else.
    """
    if not data:
        raise DecodeError("empty")
    if len(data) > config.max_bytes:
        raise DecodeError(f"too_many_bytes: {len(data)}")
    try:
        return _decode(data, config, least_side)
    except DecodeError:
        raise
    except UnidentifiedImageError as error:
        raise DecodeError(_unidentified(data)) from error
    except Exception as error:
        raise DecodeError(_broken(data, error)) from error


def _decode(data: bytes, config: DecodeConfig, least_side: int | None) -> DecodedImage:
    with Image.open(BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if width * height > config.max_pixels:
            raise DecodeError(f"too_many_pixels: {width}x{height}")
        # The further pictures of an MPO are previews and depth maps of one JPEG.
        name = "JPEG" if image.format == "MPO" else str(image.format)
        frames = 1 if name == "JPEG" else getattr(image, "n_frames", 1)
        image.seek(0)
        if least_side is not None:
            image.draft(None, (least_side, least_side))
        image.load()
        orientation = orientation_of(image)
        colour, alpha = split_alpha(image)
        rgb = to_srgb(colour, image.info.get("icc_profile"))
    alpha_share = 0.0
    if alpha is not None:
        alpha_share = np.count_nonzero(np.asarray(alpha) < 255) / (width * height)
        background = Image.new("RGB", rgb.size, tuple(config.background))
        background.paste(rgb, mask=alpha)
        rgb = background
    if orientation in SIDEWAYS:
        width, height = height, width
    return DecodedImage(
        image=upright(rgb, orientation),
        width=width,
        height=height,
        sha256=hashlib.sha256(data).hexdigest(),
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        n_bytes=len(data),
        format=name,
        frames=frames,
        alpha_share=alpha_share,
    )


def _unidentified(data: bytes) -> str:
    """`broken` where the first bytes promise one of the formats, else `not_an_image`."""
    if _webp_is_short(data):
        return "truncated"
    known = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"II*\0", b"MM\0*")
    if data.startswith(known) or data[4:12] == b"ftypavif" or data[8:12] == b"WEBP":
        return "broken: its header cannot be read"
    return "not_an_image"


def _broken(data: bytes, error: Exception) -> str:
    text = str(error)
    if isinstance(error, EOFError) or "truncated" in text.lower() or _webp_is_short(data):
        return "truncated"
    # Addresses in memory would make the reason another one in each run.
    text = re.sub(r"0x[0-9a-f]+", "", text.partition("\n")[0])[:200]
    return f"broken: {type(error).__name__}: {text}"


def _webp_is_short(data: bytes) -> bool:
    """Whether a WebP file ends before its RIFF header says; the decoder names no cause."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return False
    return len(data) < 8 + int.from_bytes(data[4:8], "little")
