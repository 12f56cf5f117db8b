import pytest

from dataproc_assets.config.intake import ByFolders, ByRanges
from dataproc_assets.config.profiles import ProfileConfig
from dataproc_assets.config.project import load_project
from dataproc_assets.config.yaml import ConfigError, read_yaml
from dataproc_assets_tests.config.conf import change, copy_conf

REPORT = "s3://inventory/crawls/daily"


def profile(tmp_path, name="local", **changes) -> ProfileConfig:
    path = copy_conf(tmp_path) / "profiles" / f"{name}.yaml"
    change(path, **changes)
    return read_yaml(path, ProfileConfig)


def test_a_listing_is_by_folders_or_by_ranges(tmp_path):
    folders = profile(tmp_path / "1").crawl.listing
    assert isinstance(folders, ByFolders) and folders.split_after > 0
    ranges = {"by": "ranges", "connections": 7}
    found = profile(tmp_path / "2", "aws", crawl__listing=ranges).crawl.listing
    assert found == ByRanges(by="ranges", connections=7)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crawl__listing": {"by": "magic", "connections": 1}}, "'folders', 'ranges'"),
        ({"crawl__listing__connections": 0}, "greater than or equal to 1"),
        ({"crawl__listing__connections": 257}, "less than or equal to 256"),
        ({"crawl__listing__split_after": 0}, "greater than or equal to 1"),
        (
            {"crawl__listing": {"by": "ranges", "connections": 1, "split_after": 1}},
            "unknown key 'split_after'",
        ),
        (
            {"crawl__listing": {"by": "ranges", "connections": 1}},
            "listing.by is ranges, but root is a folder: write folders",
        ),
        ({"crawl__reports": {"pixiv": REPORT}}, "but root is a folder: leave them out"),
        ({"crawl__reports": {"pixiv": "/inventory/daily"}}, "crawl.reports.pixiv: .* pattern"),
        ({"crawl__reports": {"pixiv": "s3://inventory"}}, "crawl.reports.pixiv: .* pattern"),
    ],
)
def test_a_wrong_value_is_said_with_its_place(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=rf"^conf/profiles/local\.yaml:\d+: .*{message}"):
        profile(tmp_path, **changes)


def test_a_report_is_of_a_source_that_there_is(tmp_path):
    conf = copy_conf(tmp_path)
    change(conf / "profiles" / "aws.yaml", crawl__reports={"pixiv": REPORT})
    assert load_project(conf, "aws").profile.crawl.reports == {"pixiv": REPORT}
    change(conf / "profiles" / "aws.yaml", crawl__reports={"pixif": REPORT})
    with pytest.raises(ConfigError, match=r"aws\.yaml: no source named 'pixif' .*'pixiv'"):
        load_project(conf, "aws")
