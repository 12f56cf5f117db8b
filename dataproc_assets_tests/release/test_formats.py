import json

import polars as pl

from dataproc_assets.release.formats import sd_scripts_metadata, sd_scripts_name

TRAIN = pl.DataFrame(
    {
        "file_name": ["aa.png", "bb.jpg"],
        "width": [10, 20],
        "height": [30, 40],
        "prompts__animagine": [["1girl, solo", "1girl"], ["two\nlines"]],
    }
)


def test_sd_scripts_metadata():
    assert json.loads(sd_scripts_metadata(TRAIN, "animagine")) == {
        "aa.png": {"caption": "1girl, solo\n1girl", "image_size": [10, 30]},
        "bb.jpg": {"caption": "two lines", "image_size": [20, 40]},
    }


def test_metadata_of_train_has_the_recipe_s_name_alone():
    assert sd_scripts_name("animagine", "train") == "sd_scripts/animagine.json"
    assert sd_scripts_name("animagine", "test") == "sd_scripts/animagine.test.json"
