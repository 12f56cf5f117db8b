from io import BytesIO

import pytest
from PIL import Image

from dataproc_assets.gallery.pictures import is_digest, thumbnail


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    assert image.format == "WEBP"
    return image


@pytest.mark.parametrize(
    ("size", "small"),
    [((512, 256), (64, 32)), ((100, 400), (16, 64)), ((20, 30), (20, 30)), ((9000, 2), (64, 1))],
)
def test_the_longer_side_is_at_most_the_given_one(size, small):
    assert opened(thumbnail(Image.new("RGB", size, "teal"), 64, 80)).size == small


def test_the_same_pixels_give_the_same_bytes_and_the_original_is_not_changed():
    image = Image.linear_gradient("L").convert("RGB")
    before = image.tobytes()
    assert thumbnail(image, 64, 80) == thumbnail(image.copy(), 64, 80)
    assert image.tobytes() == before


def test_a_thumbnail_carries_no_metadata():
    image = Image.new("RGB", (10, 10))
    image.info["exif"] = Image.Exif().tobytes() + b"where it was taken"
    assert b"taken" not in thumbnail(image, 64, 80)


@pytest.mark.parametrize("text", ["", "../../etc", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_only_a_digest_becomes_a_file_name(text):
    assert not is_digest(text)
