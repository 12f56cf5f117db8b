"""Facts of the file and the picture: size, hashes, thumbnail, sharpness, colour."""

import numpy as np
import polars as pl
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import laplace

from dataproc_assets.config.metrics import CHROMA_CELLS, Pixels
from dataproc_assets.models.base import DecodedImage
from dataproc_assets.models.columns import detail_bytes

_FACTS = [
    ("width", "i4"),
    ("height", "i4"),
    ("bytes", "i8"),
    ("sha256", "U64"),
    ("md5", "U32"),
    ("phash", "u8"),
    ("mean_r", "f4"),
    ("mean_g", "f4"),
    ("mean_b", "f4"),
    ("sharpness", "f4"),
    ("alpha_share", "f4"),
    ("frames", "i4"),
    ("format", "U16"),
]
_PHASH_SIDE, _LOW = 32, 8


def phash(image: Image.Image) -> int:
    """64-bit perceptual hash: which low frequencies are above their median.

    The 8x8 lowest coefficients of the type-II DCT of the 32x32 grey picture; the constant term
    says only how bright the picture is, so it stays out of the median (its bit is then nearly
    always 1). Bits are row by row, the highest first. After Zauner, "Implementation and
    benchmarking of perceptual image hash functions" (2010).
    """
    grey = image.convert("L").resize((_PHASH_SIDE, _PHASH_SIDE), Image.Resampling.LANCZOS)
    low = np.asarray(dctn(np.asarray(grey, np.float64), type=2))[:_LOW, :_LOW].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def detail(image: Image.Image, side: int) -> np.ndarray:
    """The picture squashed to a square, uint8: brightness (side, side), then Cb and Cr, smaller.

    The triangle filter weighs every pixel by where it lies, so a picture and its smaller copy
    differ less than by a box, which takes a pixel wholly or not at all.
    """
    square = image.resize((side, side), Image.Resampling.BILINEAR).convert("YCbCr")
    luma, *colours = square.split()
    small = [colour.reduce(CHROMA_CELLS) for colour in colours]
    return np.concatenate([np.asarray(plane).ravel() for plane in (luma, *small)])


def sharpness(image: Image.Image, side: int) -> float:
    """Variance of the Laplacian of the grey picture (0..255) with its longer side at `side`.

    Measured at one scale, so that a large blurred copy does not pass for a sharp one.
    """
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    grey = image.convert("L").resize((width, height), Image.Resampling.BICUBIC)
    return float(laplace(np.asarray(grey, np.float64), mode="nearest").var())


class PixelFacts:
    """A backbone without a network: everything is found while the picture is read."""

    def __init__(self, config: Pixels) -> None:
        self._config = config
        size = detail_bytes(config.detail_side)
        self._facts = np.dtype([*_FACTS, ("detail", "u1", (size,))])

    def preprocess(self, image: DecodedImage) -> np.ndarray:
        """One record of facts, dtype structured, shape ()."""
        decimals = self._config.decimals
        red, green, blue = (
            round(float(mean), decimals)
            for mean in np.asarray(image.image).reshape(-1, 3).mean(axis=0, dtype=np.float64)
        )
        facts = (
            image.width,
            image.height,
            image.n_bytes,
            image.sha256,
            image.md5,
            phash(image.image),
            red,
            green,
            blue,
            round(sharpness(image.image, self._config.sharpness_side), decimals),
            round(image.alpha_share, decimals),
            image.frames,
            image.format,
            detail(image.image, self._config.detail_side),
        )
        return np.array(facts, self._facts)

    def run(self, batch: np.ndarray) -> np.ndarray:
        """The records themselves."""
        return batch


def facts_reading(name: str, facts: np.ndarray) -> pl.DataFrame:
    """Records as columns `{name}_{fact}`."""
    return pl.DataFrame({f"{name}_{fact}": facts[fact] for fact in facts.dtype.names or ()})
