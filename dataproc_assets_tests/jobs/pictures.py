"""Real pictures, made in memory, and what the decoder is told in tests."""

from io import BytesIO

import numpy as np
from PIL import Image

from dataproc_assets.config.runners import DecodeConfig

WHITE = DecodeConfig(
    max_pixels=1_000_000,
    max_bytes=1_000_000,
    max_seconds=30.0,
    background=[255, 255, 255],
    jpeg_side=512,
)


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    """The image as a file's bytes."""
    buffer = BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def gradient(width: int = 48, height: int = 32, shift: int = 0) -> Image.Image:
    """A colour gradient: red grows to the right, green downwards, blue is the shift."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    red = x * 255 // max(1, width - 1)
    green = y * 255 // max(1, height - 1)
    blue = np.full_like(red, shift % 256)
    return Image.fromarray(np.stack([red, green, blue], axis=-1).astype(np.uint8))
