"""Versions of a picture: copies as other sites keep them, and variations to learn from."""

import io
from collections.abc import Callable
from hashlib import sha256

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps

SIDE = 224


def pixels(image: Image.Image) -> torch.Tensor:
    """The trunk's input, float32 1x3x224x224 in [-1, 1]: the whole picture, squashed."""
    square = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=3.0)
    array = np.asarray(square, np.float32) / 127.5 - 1
    return torch.from_numpy(array.transpose(2, 0, 1)[None].copy())


def _draws(name: str, version: str) -> np.random.Generator:
    """Draws that depend on the names alone, not on the order of work."""
    return np.random.default_rng(
        int.from_bytes(sha256(f"{version}/{name}".encode()).digest()[:8], "big")
    )


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """The picture after one JPEG round trip."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def shrunk(image: Image.Image, scale: float) -> Image.Image:
    """The picture at `scale` times its sides."""
    width, height = image.size
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def cropped(image: Image.Image, left: float, top: float, right: float, bottom: float):
    """The picture without these shares of its width or height at its edges."""
    width, height = image.size
    return image.crop(
        (
            round(width * left),
            round(height * top),
            max(round(width * (1 - right)), round(width * left) + 1),
            max(round(height * (1 - bottom)), round(height * top) + 1),
        )
    )


def altered(image: Image.Image, name: str) -> Image.Image:
    """A copy as another site would keep it: edges cut, smaller, re-encoded; drawn from the name."""
    draw = _draws(name, "altered")
    image = cropped(image, *draw.uniform(0, 0.03, 4))
    image = shrunk(image, draw.uniform(0.5, 1))
    return jpeg(image, int(draw.integers(60, 96)))


def varied(image: Image.Image, name: str, version: str) -> Image.Image:
    """Another picture of the same thing: cut, padded, turned, mirrored, other colours."""
    draw = _draws(name, version)
    if draw.random() < 0.5:
        image = ImageOps.mirror(image)
    image = cropped(image, *draw.uniform(0, 0.15, 4))
    if draw.random() < 0.5:
        edge = int(max(image.size) * draw.uniform(0, 0.3))
        image = ImageOps.expand(image, edge, "white")
    if draw.random() < 0.5:
        angle = float(draw.uniform(-15, 15))
        image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor="white")
    image = ImageEnhance.Color(image).enhance(float(draw.uniform(0.3, 1.5)))
    image = ImageEnhance.Brightness(image).enhance(float(draw.uniform(0.7, 1.2)))
    return ImageEnhance.Contrast(image).enhance(float(draw.uniform(0.7, 1.3)))


VIEWS: dict[str, Callable[[Image.Image, str], Image.Image]] = {
    "original": lambda image, name: image,
    "altered": altered,
    "varied_1": lambda image, name: varied(image, name, "1"),
    "varied_2": lambda image, name: varied(image, name, "2"),
    "varied_3": lambda image, name: varied(image, name, "3"),
    "jpeg_q85": lambda image, name: jpeg(image, 85),
    "resized_0.6": lambda image, name: shrunk(image, 0.6),
    "cropped_2%": lambda image, name: cropped(image, 0.02, 0.02, 0.02, 0.02),
    "cropped_2%_resized_0.6_q80": lambda image, name: jpeg(
        shrunk(cropped(image, 0.02, 0.02, 0.02, 0.02), 0.6), 80
    ),
}
LEARNED = ["original", "altered", "varied_1", "varied_2", "varied_3"]
COPIES = ["original", "altered", *(name for name in VIEWS if name not in LEARNED)]
