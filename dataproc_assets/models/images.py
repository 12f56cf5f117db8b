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
    """float32 [3, side, side] or [side, side, 3] of an RGB picture.

    The whole picture is squashed rather than cut to a square: a tall drawing keeps its head.
    """
    first = config.resize or config.side
    image = image.resize((first, first), _RESAMPLE[config.resample])
    if first != config.side:
        edge = (first - config.side) // 2
        image = image.crop((edge, edge, edge + config.side, edge + config.side))
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
