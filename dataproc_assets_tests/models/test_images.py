import numpy as np
import open_clip
import pytest
from PIL import Image

from dataproc_assets.config.encoders import ImageInput
from dataproc_assets.models.images import to_input
from dataproc_assets_tests.models.pictures import scene

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


def test_squash_is_the_default_and_shows_the_whole_picture():
    tall = Image.new("RGB", (20, 80))
    tall.paste((255, 255, 255), (0, 0, 20, 10))
    squashed = to_input(tall, ImageInput(side=8, mean=[0, 0, 0]))
    assert squashed.shape == (3, 8, 8)
    assert squashed[0, 0].min() > 128 > squashed[0, 2:].max()
    assert np.array_equal(squashed, to_input(tall, ImageInput(side=8, fit="squash", mean=[0] * 3)))


@pytest.mark.parametrize("size", [(320, 240), (241, 333), (224, 224), (100, 801), (500, 225)])
def test_crop_is_the_preprocessing_of_openai(size):
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    config = ImageInput(
        side=224, fit="crop", mean=[255 * x for x in mean], std=[255 * x for x in std]
    )
    theirs = open_clip.image_transform(224, is_train=False, mean=mean, std=std)
    picture = scene(1, *size)
    assert np.abs(to_input(picture, config) - theirs(picture).numpy()).max() < 1e-5


def test_crop_after_a_larger_resize_cuts_the_middle_of_the_shorter_side():
    wide = Image.new("RGB", (80, 40))
    wide.paste((255, 255, 255), (40, 0, 80, 40))
    cut = to_input(wide, ImageInput(side=8, resize=16, fit="crop", mean=[0, 0, 0]))
    assert cut[0, :, 0].max() < 20
    assert cut[0, :, -1].min() > 235


@pytest.mark.parametrize("size", [(320, 240), (241, 333), (448, 448), (448, 101)])
def test_pad_is_the_preprocessing_of_the_wd_taggers(size):
    picture = scene(2, *size)
    side = max(size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(picture, ((side - size[0]) // 2, (side - size[1]) // 2))
    square = square if side == 448 else square.resize((448, 448), Image.Resampling.BICUBIC)
    theirs = np.asarray(square, np.float32)[:, :, ::-1]
    config = ImageInput(side=448, fit="pad", channels="bgr", layout="nhwc", mean=[0, 0, 0])
    assert np.array_equal(to_input(picture, config), theirs)
