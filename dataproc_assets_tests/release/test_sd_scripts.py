"""Against sd-scripts' own rules, written down here a second time in its floats."""

import io
import itertools
import math
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dataproc_assets.config.project import CONF
from dataproc_assets.config.releases import Buckets
from dataproc_assets.config.vaes import VaeConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets.release.sd_scripts import (
    cache_bytes,
    cache_name,
    cache_suffix,
    captions,
    cautions,
    crop_ltrb,
    dataset_toml,
    resolution,
)
from dataproc_assets.transforms.buckets import bucket_sizes, cover, with_buckets

GRIDS = [
    Buckets(pixels=1024 * 1024, step=64, min_side=512, max_side=2048),
    Buckets(pixels=1024 * 1024, step=32, min_side=256, max_side=2048),
    Buckets(pixels=65536, step=32, min_side=128, max_side=512),
    Buckets(pixels=1_000_000, step=64, min_side=256, max_side=1536),
    Buckets(pixels=1_310_719, step=32, min_side=512, max_side=2016),
    Buckets(pixels=786_432, step=8, min_side=256, max_side=1024),
    Buckets(pixels=640 * 640, step=64, min_side=320, max_side=1280),
]
SIZES = [
    *itertools.product(range(64, 2200, 97), range(64, 2200, 89)),
    *[(1024, 1024), (832, 1216), (1216, 832), (512, 2048), (1, 5000), (5000, 1), (3000, 2999)],
]


def their_sizes(area: tuple[int, int], low: int, high: int, step: int) -> list[tuple[int, int]]:
    """make_bucket_resolutions."""
    budget = area[0] * area[1]
    side = int(math.sqrt(budget) // step) * step
    sizes = {(side, side)}
    for width in range(low, high + 1, step):
        height = min(high, int((budget // width) // step) * step)
        if height >= low:
            sizes |= {(width, height), (height, width)}
    return sorted(sizes)


def their_bucket(sizes: list[tuple[int, int]], width: int, height: int) -> tuple[int, int]:
    """BucketManager.select_bucket, where images may be enlarged."""
    if (width, height) in sizes:
        return width, height
    ratios = np.array([w / h for w, h in sizes])
    return sizes[int(np.abs(ratios - width / height).argmin())]


def their_resized(bucket: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """What select_bucket resizes to before the middle is kept."""
    wider = width / height > bucket[0] / bucket[1]
    scale = bucket[1] / height if wider else bucket[0] / width
    return int(width * scale + 0.5), int(height * scale + 0.5)


def their_crop(bucket: tuple[int, int], width: int, height: int) -> tuple[float, ...]:
    """BucketManager.get_crop_ltrb."""
    inner = [float(bucket[0]), float(bucket[1])]
    if bucket[0] / bucket[1] > width / height:
        inner[0] = bucket[1] * (width / height)
    else:
        inner[1] = bucket[0] / (width / height)
    left, top = ((bucket[axis] - inner[axis]) // 2 for axis in (0, 1))
    return left, top, left + inner[0], top + inner[1]


@pytest.mark.parametrize("grid", GRIDS, ids=lambda grid: f"{grid.pixels}-{grid.step}")
def test_the_toml_gives_sd_scripts_the_buckets_of_the_latents(grid: Buckets):
    told = tomllib.loads(
        dataset_toml("", Path("/i"), Path("/m"), {"buckets": grid.model_dump()}, [])
    )["datasets"][0]
    low, high = told["min_bucket_reso"], told["max_bucket_reso"]
    assert told["enable_bucket"] and "bucket_no_upscale" not in told
    # its assertions on start
    assert low <= min(told["resolution"]) and max(told["resolution"]) <= high
    theirs = their_sizes(told["resolution"], low, high, told["bucket_reso_steps"])
    assert theirs == bucket_sizes(grid)
    frame = pl.DataFrame(SIZES, schema={"width": pl.Int32, "height": pl.Int32}, orient="row")
    ours = with_buckets(frame.lazy(), grid).collect()
    for row in ours.iter_rows(named=True):
        size = (row["width"], row["height"])
        bucket = (row["bucket_width"], row["bucket_height"])
        assert bucket == their_bucket(theirs, *size)
        crop = cover(*size, *bucket)
        assert (crop.resized_width, crop.resized_height) == their_resized(bucket, *size)
        assert crop_ltrb(size, bucket) == their_crop(bucket, *size)


def test_every_budget_can_be_told():
    for pixels, step in itertools.product(range(65_536, 1_200_000, 9_973), (8, 32, 64)):
        grid = Buckets(pixels=pixels, step=step, min_side=128, max_side=2048)
        told = resolution(grid.model_dump())
        assert told[0] * told[1] // step**2 == pixels // step**2
        assert min(told) >= 128 and max(told) <= 2048
        assert their_sizes(told, 128, 2048, step) == bucket_sizes(grid)


def test_a_square_budget_is_told_as_a_square():
    assert resolution(GRIDS[0].model_dump()) == (1024, 1024)


def test_the_name_has_the_size_of_the_original_as_sd_scripts_parses_it():
    name = cache_name("0f_a", 96, 12000, "_sdxl.npz")
    assert name == "0f_a_0096x12000_sdxl.npz"
    assert [int(side) for side in name.removesuffix(".npz").split("_")[-2].split("x")] == [
        96,
        12000,
    ]


def test_a_cache_has_the_keys_types_and_no_date():
    latent = np.arange(4 * 16 * 12, dtype=np.float16).reshape(4, 16, 12)
    data = cache_bytes(latent, (300, 400), (96, 128))
    with np.load(io.BytesIO(data), allow_pickle=False) as cached:
        assert sorted(cached.files) == ["crop_ltrb", "latents", "original_size"]
        assert cached["latents"].dtype == np.float32
        assert (cached["latents"] == latent).all()
        assert cached["original_size"].tolist() == [300, 400]
        assert cached["crop_ltrb"].tolist() == list(their_crop((96, 128), 300, 400))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def about(name: str, **changes) -> dict:
    vae = read_yaml(CONF / f"vaes/{name}.yaml", VaeConfig)
    own = {"vae": name, "channels": vae.channels, "factor": vae.factor, "scaling": vae.scaling}
    return own | {"buckets": GRIDS[0].model_dump()} | changes


def test_the_shipped_sdxl_vae_needs_no_word():
    assert cache_suffix(about("sdxl")) == "_sdxl.npz"
    assert cautions(about("sdxl")) == []


def test_latents_of_another_vae_of_that_shape_are_written_and_named():
    assert cache_suffix(about("demo")) == "_sdxl.npz"
    (said,) = cautions(about("demo"))
    assert "of the VAE 'demo', not of SDXL's" in said and "{vae: sdxl}" in said


def test_sd_1_has_names_of_its_own():
    assert cache_suffix(about("demo", scaling=0.18215)) == "_sd.npz"


def test_latents_of_another_shape_are_left_out_and_that_is_said():
    flux = about("demo", channels=16, scaling=0.3611)
    assert cache_suffix(flux) is None
    assert "latents left out: sd-scripts has no cache for 16 channels" in cautions(flux)[0]


def test_a_step_that_the_sdxl_scripts_refuse_is_told():
    (said,) = cautions(about("sdxl", buckets=GRIDS[5].model_dump()))
    assert said.startswith("the buckets' step is 8")


def entry(caption: str) -> dict:
    return {"caption": caption, "image_size": [1, 1]}


def test_one_prompt_an_image_is_given_as_it_is():
    given = {"a.png": entry(":{, 1girl"), "b.png": entry("{a|b}")}
    assert captions(given) == (given, [])


def test_of_several_prompts_one_is_drawn_and_braces_stay_braces():
    given, lines = captions({"a.png": entry("1girl, :{\nsolo"), "b.png": entry("{a|b}")})
    assert given["a.png"]["caption"] == "1girl, :{{\nsolo"
    assert given["b.png"]["caption"] == "{{a|b}}"
    assert [line.partition(" =")[0] for line in lines] == ["enable_wildcard"]


@pytest.mark.parametrize(
    ("caption", "kept"),
    [("1girl ||| solo ||| safe", True), ("1girl ||| solo", True), ("a ||| b ||| c ||| d", False)],
)
def test_marks_of_what_is_kept_are_told(caption: str, kept: bool):
    _, lines = captions({"a.png": entry(caption)})
    expected = ["shuffle_caption = true", 'keep_tokens_separator = "|||"']
    assert lines == (expected if kept else [])
    _, lines = captions({"a.png": entry(caption), "b.png": entry("solo")})
    assert lines == []


def test_any_folder_can_stand_in_the_toml():
    folder = Path('/é "\\\n\U0001f600/images')
    text = dataset_toml("a release", folder, folder, None, ["enable_wildcard = true  # drawn"])
    (dataset,) = tomllib.loads(text)["datasets"]
    assert dataset == {
        "enable_bucket": True,
        "subsets": [
            {"image_dir": str(folder), "metadata_file": str(folder), "enable_wildcard": True}
        ],
    }
