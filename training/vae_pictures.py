"""Crops of the training pictures, at the scales at which the latents job and a viewer see them."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from training.material import clipart, flatten

# A picture's size here is the square root of its pixels: the demo release's buckets have 256.
KEPT = 448
SIZES = (176, 448)
SEED = 0
BLANK = 4.0  # the standard deviation under which a crop shows nothing, in levels of 255
TRIES = 4  # draws for a crop that shows something; some blank ones must stay, to be kept white
SWAPPED, TINTED = 0.5, 0.4  # the shares of crops with other colours


class Pictures:
    """The clip art of one fold, decoded and reduced, in memory.

    `images` are RGB of a size of at most KEPT, transparent parts white.
    """

    def __init__(self, material: Path, fold: str) -> None:
        paths = clipart(material).filter(fold=fold)["path"].to_list()
        self.images = [reduced(flatten(material / path)) for path in paths]

    def batch(self, step: int, count: int, side: int, sizes: tuple[int, int]) -> torch.Tensor:
        """float32 [count, 3, side, side] in [-1, 1], of pictures brought to a size between two.

        Depends on the arguments alone.
        """
        draw = np.random.default_rng([SEED, step])
        crops = np.stack([self._crop(side, sizes, draw) for _ in range(count)])
        return torch.from_numpy(crops.transpose(0, 3, 1, 2) / np.float32(127.5) - 1)

    def _crop(self, side: int, sizes: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
        """float32 [side, side, 3] in [0, 255]."""
        crop = self._window(side, sizes, draw)
        for _ in range(TRIES - 1):
            if crop.std() >= BLANK:
                break
            crop = self._window(side, sizes, draw)
        if draw.integers(2):
            crop = crop[:, ::-1]
        return recoloured(crop.astype(np.float32), draw)

    def _window(self, side: int, sizes: tuple[int, int], draw: np.random.Generator) -> np.ndarray:
        """uint8 [side, side, 3] of one picture resized as the job does; white where it ends."""
        image = self.images[draw.integers(len(self.images))]
        size = np.exp(draw.uniform(*np.log(sizes)))
        scale = size / (image.width * image.height) ** 0.5
        width, height = (min(side, max(8, round(n * scale))) for n in image.size)
        across, down = min(width / scale, image.width), min(height / scale, image.height)
        left = draw.uniform(0, image.width - across)
        top = draw.uniform(0, image.height - down)
        resized = image.resize(
            (width, height),
            Image.Resampling.LANCZOS,
            box=(left, top, min(left + across, image.width), min(top + down, image.height)),
        )
        canvas = np.full((side, side, 3), 255, np.uint8)
        canvas[:height, :width] = np.asarray(resized)
        return canvas


def reduced(image: Image.Image) -> Image.Image:
    """The picture at a size of no more than KEPT."""
    scale = KEPT / (image.width * image.height) ** 0.5
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def recoloured(crop: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Some crops with their channels exchanged, some with other blacks and whites in each.

    Few pictures have much green, and nearly all lie on white.
    """
    if draw.random() < SWAPPED:
        crop = crop[..., draw.permutation(3)]
    if draw.random() < TINTED:
        ends = draw.uniform(0, 1, (2, 3)).astype(np.float32)
        crop = 255 * ends[0] + (ends[1] - ends[0]) * crop
    return crop
