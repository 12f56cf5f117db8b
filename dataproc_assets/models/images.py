"""A decoded picture as the array that a network takes."""

import io

import numpy as np
from PIL import Image

from dataproc_assets.config.encoders import ImageInput

_RESAMPLE = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


def to_input(image: Image.Image, config: ImageInput) -> np.ndarray:
    """float32 [3, side, side] or [side, side, 3] of an RGB picture."""
    image = to_square(image, config)
    if config.jpeg_quality is not None:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=config.jpeg_quality)
        image = Image.open(file)
    array = np.asarray(image, np.float32)
    if config.channels == "bgr":
        array = array[:, :, ::-1]
    array = (array - np.array(config.mean, np.float32)) / np.array(config.std, np.float32)
    if config.layout == "nchw":
        array = array.transpose(2, 0, 1)
    return np.ascontiguousarray(array, np.float32)


def to_square(image: Image.Image, config: ImageInput) -> Image.Image:
    """A picture of `side` x `side`, as `fit` says.

    Squashed, a tall drawing keeps its head; cut, it keeps its proportions; padded, both, smaller.
    """
    first, resample = config.resize or config.side, _RESAMPLE[config.resample]
    if config.fit == "pad":
        image = _padded(image)
    size = (first, first)
    if config.fit == "crop":
        short = min(image.size)
        size = (first * image.width // short, first * image.height // short)
    if size != image.size:
        image = image.resize(size, resample)
    left, top = (round((edge - config.side) / 2) for edge in size)
    return image.crop((left, top, left + config.side, top + config.side))


def _padded(image: Image.Image) -> Image.Image:
    """The picture in the middle of a white square."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square
