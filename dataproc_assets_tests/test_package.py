import subprocess
import sys

import polars as pl
import pytest

import dataproc_assets
from dataproc_assets.config.project import load_project
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets_tests.config.conf import change, copy_conf

ROWS = pl.DataFrame({"image_key": ["pixiv/1_p0"], "n": [1]})


@pytest.fixture
def lake(url, tmp_path, monkeypatch):
    """The lake of a notebook's environment, on a folder and on S3."""
    conf = copy_conf(tmp_path)
    change(conf / "profiles" / "local.yaml", storage__root=url)
    monkeypatch.setenv("DATAPROC_CONF", str(conf))
    monkeypatch.delenv("DATAPROC_PROFILE", raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return Lake(load_project())


def test_any_stage_comes_back_by_name_and_partition(lake):
    lake.write("merged", "pixiv", ROWS, inputs={})
    lake.write("prompts", "caption", ROWS, inputs={})
    lake.write("images", None, ROWS, inputs={})
    for frame in (
        dataproc_assets.load("merged", source="pixiv"),
        dataproc_assets.load("prompts", recipe="caption"),
        dataproc_assets.load("images"),
    ):
        assert isinstance(frame, pl.LazyFrame)
        assert frame.collect().equals(ROWS)


def test_what_cannot_be_loaded_is_said(lake):
    with pytest.raises(ValueError, match="no table 'megred'; there are"):
        dataproc_assets.load("megred")
    with pytest.raises(ValueError, match=r"takes source=\.\.\., one of"):
        dataproc_assets.load("merged")
    with pytest.raises(FileNotFoundError, match="make its asset first"):
        dataproc_assets.load("images")
    info = lake.write("images", None, ROWS, inputs={})
    lake.store.put(f"{lake.path('images')}/{info.buckets[0].file}", b"edited")
    with pytest.raises(ChangedFileError, match="was changed since it was written"):
        dataproc_assets.load("images")


def test_a_partition_that_there_is_not_is_named_with_those_there_are(lake):
    with pytest.raises(ValueError, match=r"no source 'pixi'; there are artstation, .*pixiv"):
        dataproc_assets.load("merged", source="pixi")


def test_the_version_is_that_of_the_command():
    code = "from dataproc_assets.cli import main; main()"
    run = [sys.executable, "-c", code, "--version"]
    said = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert dataproc_assets.__version__ in said
