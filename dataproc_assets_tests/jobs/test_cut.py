import numpy as np
import pytest
from PIL import Image

from dataproc_assets.jobs.cut import cut, psnr, to_pixels, to_signed
from dataproc_assets.transforms.buckets import cover


def waves(width: int, height: int) -> Image.Image:
    """Waves far from black and white: where Lanczos overshoots, the order of passes shows."""
    y, x = np.mgrid[0:height, 0:width]
    tone = 128 + 60 * np.sin(x / 4) + 40 * np.cos(y / 5)
    return Image.fromarray(np.stack([tone, tone[::-1], tone[:, ::-1]], axis=-1).astype(np.uint8))


@pytest.mark.parametrize(
    ("size", "bucket"),
    [
        ((160, 120), (128, 128)),
        ((97, 203), (96, 160)),
        ((50, 40), (128, 128)),
        ((64, 96), (64, 96)),
    ],
)
def test_as_resizing_and_then_cropping(size, bucket):
    image = waves(*size)
    pixels, crop = cut(image, *bucket)
    assert crop == cover(*size, *bucket)
    resized = image.resize((crop.resized_width, crop.resized_height), Image.Resampling.LANCZOS)
    whole = np.asarray(resized.crop((crop.left, crop.top, crop.right, crop.bottom)))
    assert pixels.shape == (bucket[1], bucket[0], 3)
    assert np.abs(pixels.astype(int) - whole).max() <= 1


def test_a_very_long_picture_is_cut_without_its_whole_being_enlarged():
    pixels, crop = cut(Image.new("RGB", (20_000, 2), (10, 20, 30)), 512, 512)
    assert crop.resized_width == 5_120_000
    assert (pixels == (10, 20, 30)).all()


def test_pixels_survive_the_way_to_the_model_and_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    signed = to_signed(pixels)
    assert signed.shape == (1, 3, 16, 16)
    assert (signed.min(), signed.max()) == (-1.0, 1.0)
    assert (to_pixels(signed) == pixels).all()


def test_psnr():
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black + 255) == 0.0
    assert psnr(black, black + 1) == pytest.approx(48.13, abs=0.01)
    assert psnr(black, black) == float("inf")
