"""A decoded picture cut to its bucket."""

import numpy as np
from PIL import Image

from dataproc_assets.transforms.buckets import Crop, cover


def cut(image: Image.Image, bucket_width: int, bucket_height: int) -> tuple[np.ndarray, Crop]:
    """Resize (Lanczos) to cover the bucket and keep the centre.

    Only the window is computed, from the pixels it needs, so that a very long picture takes no
    more memory than its bucket.

    Returns uint8 [bucket_height, bucket_width, 3], and where it was cut.
    """
    crop = cover(image.width, image.height, bucket_width, bucket_height)
    across, down = image.width / crop.resized_width, image.height / crop.resized_height
    window = (
        crop.left * across,
        crop.top * down,
        min(crop.right * across, image.width),
        min(crop.bottom * down, image.height),
    )
    resized = image.resize((bucket_width, bucket_height), Image.Resampling.LANCZOS, box=window)
    return np.asarray(resized), crop


def to_signed(pixels: np.ndarray) -> np.ndarray:
    """uint8 [n, h, w, 3] as float32 [n, 3, h, w] in [-1, 1]."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / 127.5 - 1.0


def to_pixels(signed: np.ndarray) -> np.ndarray:
    """float32 [n, 3, h, w] in [-1, 1] as uint8 [n, h, w, 3]."""
    return np.rint((signed.transpose(0, 2, 3, 1) + 1.0) * 127.5).clip(0, 255).astype(np.uint8)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 arrays of one shape; infinite where equal."""
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float(10 * np.log10(255.0**2 / error)) if error else float("inf")
