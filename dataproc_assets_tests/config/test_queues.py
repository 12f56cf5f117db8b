import pytest
import yaml

from dataproc_assets.config.profiles import ProfileConfig
from dataproc_assets.config.project import CONF, load_project
from dataproc_assets.config.yaml import ConfigError, read_yaml
from dataproc_assets_tests.config.conf import change, copy_conf

QUEUE = {
    "url": "https://sqs.us-east-1.amazonaws.com/123456789012/crawls",
    "wait_seconds": 1,
    "timeout_seconds": 10,
    "connections": 8,
    "messages_per_file": 1000,
    "messages_per_tick": 10_000,
    "full_listing_every_hours": 24,
    "full_listing_after_removal_hours": 1,
    "keep_events_days": 4,
}


def aws(tmp_path, queues):
    path = copy_conf(tmp_path) / "profiles" / "aws.yaml"
    change(path, crawl__queues=queues)
    return path


def test_sources_may_share_a_queue(tmp_path):
    path = aws(tmp_path, {"pixiv": QUEUE, "danbooru": QUEUE})
    queues = load_project(path.parent.parent, "aws").profile.crawl.queues
    assert sorted(queues) == ["danbooru", "pixiv"]
    assert queues["pixiv"].model_dump() == {**QUEUE, "report_lag_hours": 48}


def test_the_queue_in_a_comment_is_one_that_would_be_read():
    lines = (CONF / "profiles" / "aws.yaml").read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if "# queues:" in line)
    text = "\n".join(line.replace("  # ", "  ", 1) for line in lines[start + 1 : start + 11])
    assert yaml.safe_load(text) == {"pixiv": QUEUE}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("url", "arn:aws:sqs:us-east-1:123456789012:crawls", "String should match pattern"),
        ("wait_seconds", 21, "less than or equal to 20"),
        ("timeout_seconds", 0, "greater than or equal to 1"),
        ("connections", 0, "greater than or equal to 1"),
        ("messages_per_file", 0, "greater than or equal to 1"),
        ("messages_per_tick", 0, "greater than or equal to 1"),
        ("full_listing_every_hours", 0, "greater than 0"),
        ("keep_events_days", -1, "greater than or equal to 0"),
        ("full_listing_after_removal_hours", 0, "greater than 0"),
    ],
)
def test_a_wrong_value_is_said_with_its_place(tmp_path, key, value, message):
    path = aws(tmp_path, {"pixiv": {**QUEUE, key: value}})
    where = rf"^conf/profiles/aws\.yaml:\d+: crawl.queues.pixiv.{key}: .*{message}"
    with pytest.raises(ConfigError, match=where):
        read_yaml(path, ProfileConfig)


def test_a_queue_is_of_a_known_source(tmp_path):
    path = aws(tmp_path, {"pixyv": QUEUE})
    with pytest.raises(ConfigError, match=r"no source named 'pixyv' \(did you mean 'pixiv'\?\)"):
        load_project(path.parent.parent, "aws")


def test_a_folder_has_no_queue(tmp_path):
    path = copy_conf(tmp_path) / "profiles" / "local.yaml"
    change(path, crawl__queues={"pixiv": QUEUE})
    with pytest.raises(ConfigError, match="queues are of an S3 bucket, but root is a folder"):
        read_yaml(path, ProfileConfig)
