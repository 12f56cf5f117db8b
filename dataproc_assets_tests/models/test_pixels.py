import numpy as np
import pytest
from PIL import Image, ImageFilter

from dataproc_assets.models.load import load_model
from dataproc_assets.models.pixels import detail, phash, sharpness
from dataproc_assets_tests.models.pictures import decoded, jpeg, metric, scene


def distance(a: int, b: int) -> int:
    return (a ^ b).bit_count()


@pytest.mark.parametrize("seed", range(8))
def test_phash_of_a_copy_is_near_and_of_another_picture_far(seed):
    picture = scene(seed)
    smaller = picture.resize((192, 144), Image.Resampling.LANCZOS)
    assert distance(phash(picture), phash(jpeg(picture, 70))) <= 6
    assert distance(phash(picture), phash(jpeg(smaller, 85))) <= 6
    assert distance(phash(picture), phash(scene(seed + 100))) > 12


def test_phash_bits_are_those_of_the_transform():
    # A picture that is one cosine across has one low coefficient; its sign is the bit.
    x = np.cos(np.pi * (np.arange(32) + 0.5) * 3 / 32)
    grey = np.tile(128 + 60 * x, (32, 1)).astype(np.uint8)
    bit = phash(Image.fromarray(grey)) >> (63 - 3) & 1
    opposite = phash(Image.fromarray(255 - grey)) >> (63 - 3) & 1
    assert (bit, opposite) == (1, 0)


def test_sharpness_falls_with_blur_and_hardly_changes_with_size():
    picture = scene(3, 640, 480)
    sharp = sharpness(picture, 256)
    assert sharpness(picture.filter(ImageFilter.GaussianBlur(4)), 256) < sharp / 4
    doubled = picture.resize((1280, 960), Image.Resampling.BICUBIC)
    assert sharpness(doubled, 256) == pytest.approx(sharp, rel=0.15)
    assert sharpness(Image.new("RGB", (50, 9), "red"), 256) == 0


def test_a_thumbnail_hardly_changes_with_encoding_and_size():
    picture = scene(3, 640, 480)
    smaller = picture.resize((431, 323), Image.Resampling.LANCZOS)
    for copy in (jpeg(picture, 60), smaller):
        apart = detail(picture, 64).astype(int) - detail(copy, 64)
        assert np.abs(apart).max() <= 8
    box = Image.Resampling.BOX
    by_box = [np.asarray(image.resize((64, 64), box), int) for image in (picture, smaller)]
    assert np.abs(by_box[0] - by_box[1]).max() > 16


def test_a_thumbnail_keeps_what_is_small_and_other_in_colour_alone():
    plain = Image.new("RGB", (640, 640), (200, 200, 200))
    dot, red = plain.copy(), plain.copy()
    dot.paste((0, 0, 0), (300, 300, 312, 312))
    red.paste((255, 177, 177), (300, 300, 360, 360))
    first, with_dot, with_red = (detail(image, 64).astype(int) for image in (plain, dot, red))
    assert first.shape == (64 * 64 + 2 * 16 * 16,)
    assert np.abs(first - with_dot)[: 64 * 64].max() > 60
    assert np.abs(first - with_red)[: 64 * 64].max() <= 2
    assert np.abs(first - with_red)[64 * 64 :].max() > 30


def test_facts_are_columns():
    model = load_model(metric("pixels"))
    red = decoded(Image.new("RGB", (30, 20), (250, 10, 0)))
    row = model.forward([model.preprocess(red)]).row(0, named=True)
    assert {k: row[f"pixels_{k}"] for k in ("width", "height", "mean_r", "mean_g", "mean_b")} == {
        "width": 30,
        "height": 20,
        "mean_r": 250,
        "mean_g": 10,
        "mean_b": 0,
    }
    assert row["pixels_sha256"] == red.sha256
    assert row["pixels_detail"] == detail(red.image, 64).tolist()
    assert row["pixels_md5"] == red.md5
    assert (row["pixels_format"], row["pixels_frames"], row["pixels_bytes"]) == (
        "PNG",
        1,
        red.n_bytes,
    )


def test_a_hash_with_the_highest_bit_survives_the_frame():
    model = load_model(metric("pixels"))
    images = [decoded(scene(seed)) for seed in range(6)]
    frame = model.forward([model.preprocess(image) for image in images])
    assert frame["pixels_phash"].to_list() == [phash(image.image) for image in images]
    assert frame.schema == model.columns
