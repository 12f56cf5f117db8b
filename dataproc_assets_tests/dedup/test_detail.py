import itertools
import re
from collections.abc import Iterator

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dataproc_assets.config.dedup import DetailConfig
from dataproc_assets.config.project import load_project
from dataproc_assets.dedup.detail import SAME, detail_distance, distance, planes
from dataproc_assets.jobs.decode import decode
from dataproc_assets.models.pixels import detail
from dataproc_assets.storage.address import read_address
from dataproc_assets.storage.crawl import read_crawl
from dataproc_assets.storage.objects import open_store
from dataproc_assets_tests.dedup.build import DETAIL, THUMBNAILS, thumbnail
from dataproc_assets_tests.demo import SAMPLE, TRUTH
from dataproc_assets_tests.models.pictures import jpeg, scene
from dataproc_assets_tests.storage.shards import plain_reader

CONFIG = DetailConfig.model_validate(DETAIL)
PROJECT = load_project()
CLASSES = yaml.safe_load(TRUTH.read_text())["classes"]
COPIES = [
    [member["key"] for member in group["members"]] for group in CLASSES["cross_posts"]["groups"]
]
VARIANTS = [group["keys"] for group in CLASSES["variants"]["groups"]]


def of(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint8)


def pairs(groups: list[list[str]]) -> Iterator[tuple[str, str]]:
    for group in groups:
        yield from itertools.combinations(group, 2)


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    """The thumbnails of the sample crawl's copies and variants, by image key."""
    found = {}
    metric = PROJECT.metrics[PROJECT.dedup.detail.metric]
    for name, source in PROJECT.sources.items():
        files = read_crawl(open_store(str(SAMPLE)), source.crawl, plain_reader()).images
        for key in {key for group in COPIES + VARIANTS for key in group}:
            if not key.startswith(f"{name}/"):
                continue
            native = key.split("/")[1].split("_")[-1] if name == "artstation" else key.split("/")[1]
            pattern = rf"(^|_){re.escape(native)}[_.]"
            file = files.filter(pl.col("name").str.contains(pattern)).row(0, named=True)
            data = read_address(file["uri"], file["offset"], file["length"])
            image = decode(data, PROJECT.profile.decode).image
            found[key] = detail(image, metric.detail_side)  # type: ignore[union-attr]
    return found


def test_every_copy_of_the_sample_is_the_same_picture(sample: dict[str, np.ndarray]):
    """Other encodings, sizes and cuts of 1 to 2 % at each edge."""
    config = PROJECT.dedup.detail
    far = {(a, b): distance(sample[a], sample[b], config) for a, b in pairs(COPIES)}
    assert len(far) == 44
    assert {pair: value for pair, value in far.items() if value > SAME} == {}


def test_no_variant_of_the_sample_is_the_same_picture(sample: dict[str, np.ndarray]):
    """Other expressions, costumes, colours and details, the hard ones too."""
    config = PROJECT.dedup.detail
    near = {(a, b): distance(sample[a], sample[b], config) for a, b in pairs(VARIANTS)}
    assert len(near) == 32
    assert {pair: value for pair, value in near.items() if value <= SAME} == {}


@pytest.mark.parametrize("seed", range(6))
def test_a_copy_of_a_drawing_is_the_same_and_one_with_a_small_change_is_not(seed: int):
    picture = scene(seed, 640, 480)
    copy = jpeg(picture.resize((420, 315), Image.Resampling.LANCZOS), 60)
    changed = copy.copy()
    changed.paste((255, 255, 255) if seed % 2 else (0, 0, 0), (200, 150, 212, 162))
    assert distance(detail(picture, 64), detail(copy, 64), CONFIG) <= SAME
    assert distance(detail(picture, 64), detail(changed, 64), CONFIG) > SAME


def test_planes_are_brightness_then_two_colours():
    blue = planes(detail(Image.new("RGB", (90, 50), (0, 0, 255)), 32))
    assert [plane.shape for plane in blue] == [(32, 32), (8, 8), (8, 8)]
    assert [set(plane.ravel().tolist()) for plane in blue] == [{29}, {255}, {107}]


@pytest.mark.parametrize(("spot", "expected"), [(0, 0), (1, 20), (5, 100), (6, 120), (-6, 120)])
def test_a_quiet_pair_may_differ_by_the_floor(spot: int, expected: int):
    assert distance(of(thumbnail(1)), of(thumbnail(1, spot)), CONFIG) == expected


def test_where_all_differ_one_may_differ_more_up_to_the_ceiling():
    first, noisy = of(thumbnail(1)), of(thumbnail(1))
    noisy[:256:2] += 10
    noisy[6 * 16 + 8] += 20
    assert distance(first, noisy, CONFIG) == 75  # 30 of 4 times 10
    low = CONFIG.model_copy(update={"ceiling": 25, "reach": 0})
    assert distance(first, noisy, low) == 120  # 30 of 25


def test_another_colour_of_equal_brightness_is_another_picture():
    first = of(thumbnail(1))
    other = first.copy()
    other[256 + 5] += 50
    assert distance(first, other, CONFIG) == 125  # 50 of 40


@given(st.integers(0, 5), st.integers(0, 5), st.integers(-30, 30), st.integers(-30, 30))
def test_distance_is_symmetric_and_of_itself_nothing(a: int, b: int, x: int, y: int):
    first, second = of(thumbnail(a, x)), of(thumbnail(b, y))
    assert distance(first, first, CONFIG) == 0
    assert distance(first, second, CONFIG) == distance(second, first, CONFIG)


def test_a_pair_without_both_details_has_no_distance():
    details = pl.Series([THUMBNAILS[0], None, THUMBNAILS[2]], dtype=pl.Array(pl.UInt8, 288))
    found = detail_distance(details, np.array([0, 0, 1]), np.array([1, 2, 2]), CONFIG)
    assert found.to_list() == [None, 600, None]
    unknown = pl.Series([None, None])
    assert detail_distance(unknown, np.array([0]), np.array([1]), CONFIG).to_list() == [None]
