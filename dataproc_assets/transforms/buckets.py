"""Aspect-ratio buckets: which bucket an image trains in, and how it is cut to it.

The buckets and the choice among them are those of kohya's sd-scripts (`make_bucket_resolutions`
and `BucketManager.select_bucket` with upscaling), computed in whole numbers.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isqrt

import polars as pl

from dataproc_assets.config.releases import Buckets


def bucket_sizes(buckets: Buckets) -> list[tuple[int, int]]:
    """All (width, height) in pixels, sorted: the square, and every side with its widest partner."""
    step = buckets.step
    budget = buckets.pixels // step**2
    square = isqrt(budget) * step
    sizes = {(square, square)}
    for side in range(buckets.min_side, buckets.max_side + 1, step):
        other = min(buckets.max_side, budget // (side // step) * step)
        if other >= buckets.min_side:
            sizes |= {(side, other), (other, side)}
    return sorted(sizes)


def with_buckets(
    frame: pl.LazyFrame, buckets: Buckets, width: str = "width", height: str = "height"
) -> pl.LazyFrame:
    """Add `bucket_width`, `bucket_height` (Int32): the bucket nearest in aspect ratio.

    An image whose size is a bucket's is in that bucket; between two equally near ones the
    narrower is taken, and of buckets with the same ratio the smallest. Null where a side is null.
    """
    first: dict[Fraction, tuple[int, int]] = {}
    for size in bucket_sizes(buckets):
        first.setdefault(Fraction(*size), size)
    ratios = sorted(first)
    w, h = pl.col(width).cast(pl.Int64), pl.col(height).cast(pl.Int64)
    halfways = [(low + high) / 2 for low, high in pairwise(ratios)]
    passed = [w * half.denominator > h * half.numerator for half in halfways]
    index = pl.sum_horizontal(pl.lit(0, pl.Int32), *(p.cast(pl.Int32) for p in passed))
    chosen = [first[ratio] for ratio in ratios]
    others = [size for size in bucket_sizes(buckets) if size not in chosen]

    def side(position: int) -> pl.Expr:
        nearest = index.replace_strict(
            list(range(len(chosen))), [size[position] for size in chosen], return_dtype=pl.Int32
        )
        value = pl.when((w > 0) & (h > 0)).then(nearest)
        exact = [
            pl.when((w == size[0]) & (h == size[1])).then(pl.lit(size[position], pl.Int32))
            for size in others
        ]
        return pl.coalesce(*exact, value)

    return frame.with_columns(bucket_width=side(0), bucket_height=side(1))


@dataclass(frozen=True)
class Crop:
    """How an image covers its bucket: its size after resizing, and the window kept of that.

    `left`, `top`, `right`, `bottom` are the window's edges in pixels of the resized image.
    """

    resized_width: int
    resized_height: int
    left: int
    top: int
    right: int
    bottom: int


def cover(width: int, height: int, bucket_width: int, bucket_height: int) -> Crop:
    """Resize to cover the bucket, keeping the aspect ratio, and keep the centre.

    Sizes in pixels. The resized side is rounded half up; an odd rest goes to the right and below.
    """
    if width * bucket_height > bucket_width * height:
        resized = ((2 * width * bucket_height + height) // (2 * height), bucket_height)
    else:
        resized = (bucket_width, (2 * height * bucket_width + width) // (2 * width))
    left = (resized[0] - bucket_width) // 2
    top = (resized[1] - bucket_height) // 2
    return Crop(*resized, left, top, left + bucket_width, top + bucket_height)
