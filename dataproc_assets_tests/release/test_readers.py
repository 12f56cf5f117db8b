"""The libraries that a trainer opens a release with, without a line of this project."""

import re
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import polars as pl
import pytest
import webdataset
from PIL import Image

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import manifest_of, run

TYPES = ("png", "jpg", "webp")


def folder_of(store: ObjectStore, kind: str = "releases") -> Path:
    return Path(store.uri(manifest_of(store, kind=kind).root))


@pytest.fixture(scope="module")
def here(released) -> Path:
    """The folder of the release's files."""
    return folder_of(released)


@pytest.fixture(scope="module")
def rows(here) -> list[dict[str, Any]]:
    return pl.read_parquet(here / "train.parquet").to_dicts()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """`datasets` keeps what it has read in a folder of the test."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def image_of(sample: dict[str, Any]) -> Any:
    (found,) = [sample[kind] for kind in TYPES if sample.get(kind) is not None]
    return found


def original(crawl, row: dict[str, Any]) -> Image.Image:
    uri = crawl.addresses.filter(image_key=row["representative"])["uri"].item()
    return Image.open(uri).convert("RGB")


def test_webdataset_decodes_images_json_and_text(here, rows, crawl):
    shards = len(list((here / "webdataset").iterdir()))
    assert shards == 3
    url = str(here / "webdataset" / f"train-{{00000..{shards - 1:05d}}}.tar")
    samples = list(webdataset.WebDataset(url, shardshuffle=False).decode("pilrgb"))
    assert [sample["__key__"] for sample in samples] == [row["image_id"] for row in rows]
    for sample, row in zip(samples, rows, strict=True):
        image = image_of(sample)
        assert image.size == (row["width"], row["height"])
        assert (np.asarray(image) == np.asarray(original(crawl, row))).all()
        assert sample["json"]["prompts"]["illustrious"] == row["prompts__illustrious"]
        assert sample["json"]["tags"] == [tag["tag"] for tag in row["tags"]]
        assert sample["txt"] == row["prompts__animagine"][0]


def test_webdataset_decodes_latents_a_bucket_at_a_time(released, rows):
    by_id = {row["image_id"]: row for row in rows}
    tars = sorted((folder_of(released, "latents") / "webdataset").iterdir())
    seen = []
    for bucket in {tar.name.rpartition("-")[0] for tar in tars}:
        urls = [str(tar) for tar in tars if tar.name.rpartition("-")[0] == bucket]
        shapes = set()
        pipeline = webdataset.WebDataset(urls, shardshuffle=False).decode()
        for latent, meta, text in pipeline.to_tuple("latent.npy", "json", "txt"):
            row = by_id[meta["image_id"]]
            shapes.add(latent.shape)
            assert latent.dtype == np.float32 and np.isfinite(latent).all()
            assert latent.shape == (4, row["bucket_height"] // 8, row["bucket_width"] // 8)
            assert text == row["prompts__animagine"][0]
            seen.append(meta["image_id"])
        assert len(shapes) == 1
    assert sorted(seen) == sorted(by_id)


def card_code(here: Path) -> list[str]:
    """The pieces of code that the card tells."""
    return re.findall("```python\n(.*?)```", (here / "README.md").read_text("utf-8"), re.DOTALL)


def test_webdataset_opens_the_folder_as_its_card_says(here, rows):
    names: dict[str, Any] = {"here": str(here)}
    exec(card_code(here)[1], names)
    samples = list(names["samples"])
    assert [sample["__key__"] for sample in samples] == [row["image_id"] for row in rows]
    sizes = [image_of(sample).size for sample in samples]
    assert sizes == [(row["width"], row["height"]) for row in rows]


@pytest.mark.parametrize("streaming", [False, True])
def test_datasets_opens_the_folder_as_its_card_says(here, rows, crawl, streaming):
    code = card_code(here)[0]
    if streaming:
        code = code.replace('split="train"', 'split="train", streaming=True')
    names: dict[str, Any] = {"here": str(here)}
    exec(code, names)
    table, images = list(names["table"]), list(names["images"])
    assert [row["image_id"] for row in table] == [row["image_id"] for row in rows]
    assert [row["tags"] for row in table] == [row["tags"] for row in rows]
    assert [row["prompts__illustrious"] for row in table] == [
        row["prompts__illustrious"] for row in rows
    ]
    assert [sample["__key__"] for sample in images] == [row["image_id"] for row in rows]
    for sample, row in zip(images, rows, strict=True):
        assert sample["txt"] == row["prompts__animagine"][0]
        shown = np.asarray(image_of(sample).convert("RGB"))
        assert (shown == np.asarray(original(crawl, row))).all()


def test_datasets_opens_the_folder_by_its_name_alone(here, rows):
    found = datasets.load_dataset(str(here))
    assert {name: len(split) for name, split in found.items()} == {"train": len(rows)}
    assert datasets.get_dataset_config_names(str(here)) == ["table"]


def test_datasets_tells_the_splits_apart(crawl, tmp_path):
    store = ObjectStore(str(tmp_path / "store"))
    run(store, crawl, release_config(splits={"train": 0.5, "validation": 0.5}))
    here = folder_of(store)
    found = datasets.load_dataset(str(here))
    expected = {
        split: pl.read_parquet(here / f"{split}.parquet")["image_id"].to_list()
        for split in ("train", "validation")
    }
    assert {name: list(split["image_id"]) for name, split in found.items()} == expected
    assert all(expected.values())


def test_polars_reads_a_few_columns_of_what_is_nested(here, rows):
    tags = (
        pl.scan_parquet(here / "train.parquet")
        .select("image_id", pl.col("tags").list.eval(pl.element().struct.field("tag")))
        .collect()
    )
    assert tags["tags"].to_list() == [[tag["tag"] for tag in row["tags"]] for row in rows]
