from fractions import Fraction

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataproc_assets.config.releases import Buckets
from dataproc_assets.transforms.buckets import bucket_sizes, cover, with_buckets

SDXL = Buckets(pixels=1024 * 1024, step=64, min_side=512, max_side=2048)
SIDES = st.integers(min_value=1, max_value=20_000)


def chosen(width: int | None, height: int | None, buckets: Buckets = SDXL) -> tuple:
    frame = pl.DataFrame(
        {"width": [width], "height": [height]}, schema={"width": pl.Int32, "height": pl.Int32}
    )
    return (
        with_buckets(frame.lazy(), buckets).select("bucket_width", "bucket_height").collect().row(0)
    )


def test_sizes_of_sdxl():
    sizes = bucket_sizes(SDXL)
    assert (1024, 1024) in sizes
    assert (832, 1216) in sizes
    assert (512, 2048) in sizes
    assert sizes == sorted(sizes)


@given(width=SIDES, height=SIDES)
@example(width=180, height=368)  # half-way between two of one width: the narrower shape
def test_rule_of_sd_scripts(width, height):
    sizes = sorted(bucket_sizes(SDXL), key=lambda size: (Fraction(*size), size))
    errors = [abs(Fraction(w, h) - Fraction(width, height)) for w, h in sizes]
    expected = (width, height) if (width, height) in sizes else sizes[errors.index(min(errors))]
    assert chosen(width, height) == expected


def test_a_size_that_is_a_bucket_stays_where_another_has_its_ratio():
    small = Buckets(pixels=1024 * 1024, step=256, min_side=256, max_side=1024)
    assert {(256, 1024), (1024, 256), (1024, 1024)} <= set(bucket_sizes(small))
    for size in bucket_sizes(small):
        assert chosen(*size, small) == size


def test_unknown_size_has_no_bucket():
    assert chosen(None, 100) == (None, None)
    assert chosen(0, 100) == (None, None)


@given(width=SIDES, height=SIDES, bucket=st.sampled_from(bucket_sizes(SDXL)))
def test_cover_fills_the_bucket_and_keeps_the_centre(width, height, bucket):
    crop = cover(width, height, *bucket)
    assert (crop.right - crop.left, crop.bottom - crop.top) == bucket
    assert crop.resized_width == bucket[0] or crop.resized_height == bucket[1]
    assert crop.left >= 0 and crop.right <= crop.resized_width
    assert crop.top >= 0 and crop.bottom <= crop.resized_height
    assert 0 <= crop.resized_width - crop.right - crop.left <= 1
    assert 0 <= crop.resized_height - crop.bottom - crop.top <= 1


def test_cover_of_a_wide_picture():
    crop = cover(2000, 1000, 1024, 1024)
    assert (crop.resized_width, crop.resized_height) == (2048, 1024)
    assert (crop.left, crop.top, crop.right, crop.bottom) == (512, 0, 1536, 1024)


def test_sides_must_fit_the_step():
    with pytest.raises(ValueError, match="min_side 500 is not a multiple of step 64"):
        Buckets(pixels=1024 * 1024, step=64, min_side=500, max_side=2048)
