import numpy as np
import pytest
from PIL import Image

from dataproc_assets.config.encoders import ImageInput
from dataproc_assets.models.images import to_input

ORANGE = Image.new("RGB", (50, 30), (255, 128, 0))


def test_channels_layout_and_scale():
    rgb = to_input(ORANGE, ImageInput(side=8, mean=[127.5] * 3, std=[127.5] * 3))
    assert rgb.shape == (3, 8, 8)
    assert rgb.dtype == np.float32
    assert rgb[:, 0, 0] == pytest.approx([1, 0.5 / 127.5, -1])
    bgr = to_input(ORANGE, ImageInput(side=8, channels="bgr", layout="nhwc", mean=[10, 20, 30]))
    assert bgr.shape == (8, 8, 3)
    assert bgr[0, 0].tolist() == [-10, 108, 225]


def test_resize_then_cut_keeps_the_middle():
    half = Image.new("RGB", (100, 100))
    half.paste((255, 255, 255), (50, 0, 100, 100))
    cut = to_input(half, ImageInput(side=8, resize=16, mean=[0, 0, 0], resample="bilinear"))
    assert cut[0, :, 0].max() < 128 < cut[0, :, -1].min()
    assert cut[0, :, :3].max() == 0


def test_a_cut_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="resize 100 is smaller than side 224"):
        ImageInput(side=224, resize=100, mean=[0, 0, 0])
