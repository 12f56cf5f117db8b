import json

import polars as pl
import yaml

from dataproc_assets.release.formats import dataset_card, sd_scripts_metadata
from dataproc_assets_tests.release.crawl import release_config

TRAIN = pl.DataFrame(
    {
        "file_name": ["aa.png", "bb.jpg"],
        "width": [10, 20],
        "height": [30, 40],
        "prompts__animagine": [["1girl, solo", "1girl"], ["two\nlines"]],
    }
)
COUNTS = {
    "images": 2,
    "bytes": 100,
    "prompts": 3,
    "sources": {"pixiv": 2},
    "ratings": {"general": 1, "unknown": 1},
    "tiers": {"best": 2},
    "years": {"2020": 2},
    "splits": {"train": 2},
    "funnel": [{"name": "rating in general", "before": 5, "after": 2}],
}


def test_sd_scripts_metadata():
    assert json.loads(sd_scripts_metadata(TRAIN, "animagine")) == {
        "aa.png": {"caption": "1girl, solo\n1girl", "image_size": [10, 30]},
        "bb.jpg": {"caption": "two lines", "image_size": [20, 40]},
    }


def test_card_has_the_hub_s_front_matter_and_the_counts():
    _, front, body = dataset_card(release_config(), COUNTS).split("---\n", 2)
    assert yaml.safe_load(front) == {
        "license": "other",
        "pretty_name": "A small release",
        "task_categories": ["text-to-image"],
        "size_categories": ["n<1K"],
        "configs": [
            {
                "config_name": "table",
                "data_files": [{"split": "train", "path": "train.parquet"}],
                "default": True,
            },
        ],
    }
    assert "Each picture keeps the licence of its work." in body
    assert "| pixiv | 2 |" in body
    assert "| rating in general | 5 | 2 | 3 |" in body


def test_card_has_a_file_for_every_split():
    config = release_config(splits={"train": 0.75, "validation": 0.25})
    _, front, body = dataset_card(config, COUNTS).split("---\n", 2)
    assert yaml.safe_load(front)["configs"][0]["data_files"] == [
        {"split": "train", "path": "train.parquet"},
        {"split": "validation", "path": "validation.parquet"},
    ]
    assert "`sd_scripts/{recipe}.validation.json`" in body


def test_card_names_no_folder_that_is_not_there():
    card = dataset_card(release_config(formats=["parquet", "huggingface"]), COUNTS)
    assert "webdataset/" not in card
