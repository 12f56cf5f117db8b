import pytest
from pydantic import ValidationError

from dataproc_assets.config.project import CONF
from dataproc_assets.config.releases import Buckets, ReleaseConfig
from dataproc_assets.config.yaml import read_yaml
from dataproc_assets_tests.release.crawl import release_config


def test_every_release_of_the_project_loads():
    paths = sorted((CONF / "releases").glob("*.yaml"))
    assert "demo" in {read_yaml(path, ReleaseConfig).name for path in paths}


def test_a_release_without_its_table_is_refused():
    with pytest.raises(ValidationError, match="formats must hold 'parquet'"):
        release_config(formats=["webdataset"])


def test_a_name_that_is_no_folder_name_is_refused():
    with pytest.raises(ValidationError, match="name"):
        release_config(name="../other")


def test_a_budget_that_no_bucket_can_have_is_refused():
    with pytest.raises(ValidationError, match="pixels 100 lies outside"):
        Buckets(pixels=100, step=8, min_side=64, max_side=128)


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        ({"validation": 1.0}, "must have one named 'train'"),
        ({"train": 0.9, "validation": 0.2}, "add up to 1.1, not 1"),
        ({"train": 1.0, "validation": 0.0}, "greater than 0"),
        ({"train": 0.9, "../up": 0.1}, "match pattern"),
    ],
)
def test_splits_are_named_shares_of_the_whole(splits, said):
    with pytest.raises(ValidationError, match=said):
        release_config(splits=splits)
    assert release_config().splits == {"train": 1.0}


def test_the_bounds_of_a_score_bound_something():
    for scores in ({"clip_score": {}}, {"clip_score": {"at_least": 2, "at_most": 1}}):
        with pytest.raises(ValidationError, match=r"at_least"):
            release_config(select={"ratings": ["general"], "scores": scores})
