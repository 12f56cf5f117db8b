"""Any Pillow image as upright sRGB with its alpha apart."""

from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

ORIENTATION = 0x0112
# EXIF 2.3, tag 0x0112: how the stored picture must be turned to stand upright.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)
PROFILE_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}


def split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A loaded image as mode L, RGB or CMYK, and its alpha as mode L; None when it has none.

    16 bits a channel become 8 by their high byte.

    Raises:
        ValueError: the mode's range is unknown (32-bit integers, floats).
    """
    if image.mode in ("I", "F"):
        raise ValueError(f"unsupported mode {image.mode}")
    if image.mode.startswith("I;16"):
        # `convert("L")` clips 16-bit values to 255.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode in ("P", "PA") or "transparency" in image.info:
        transparent = image.mode == "PA" or "transparency" in image.info
        image = image.convert("RGBA" if transparent else "RGB")
    if image.mode in ("LA", "RGBA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    if image.mode == "1":
        return image.convert("L"), None
    return (image if image.mode in PROFILE_SPACES else image.convert("RGB")), None


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A mode L, RGB or CMYK image as RGB in sRGB.

    A profile that cannot be read, or that is not of the image's colour space, counts as none,
    as browsers hold it.
    """
    if profile:
        transform = _transform(profile, image.mode)
        if transform is not None:
            converted = ImageCms.applyTransform(image, transform)
            assert converted is not None
            return converted
    return image.convert("RGB")


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """The image turned as EXIF orientation 1 to 8 asks; other values turn nothing."""
    method = UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation; 1, upright, where EXIF is missing or broken."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:
        return 1


@lru_cache(maxsize=64)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None for an sRGB profile, a broken one, or one of another space."""
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        header: Any = source.profile
        name = header.profile_description or ""
        if header.xcolor_space.strip() != PROFILE_SPACES[mode] or name.startswith("sRGB"):
            return None
        target = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(source, target, mode, "RGB")
    except (OSError, ImageCms.PyCMSError):
        return None
