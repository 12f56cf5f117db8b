import pytest

from dataproc_assets.config.profiles import ProfileConfig
from dataproc_assets.config.project import CONF
from dataproc_assets.config.yaml import ConfigError, read_yaml
from dataproc_assets_tests.config.conf import change, copy_conf


@pytest.mark.parametrize("name", ["local", "aws"])
def test_a_shipped_profile_is_valid(name):
    profile = read_yaml(CONF / "profiles" / f"{name}.yaml", ProfileConfig)
    assert profile.name == name


def test_the_shipped_profiles_differ_in_place_and_never_in_pictures():
    local, aws = (
        read_yaml(CONF / "profiles" / f"{name}.yaml", ProfileConfig) for name in ("local", "aws")
    )
    assert not local.storage.root.startswith("s3://")
    assert aws.storage.root.startswith("s3://")
    assert local.decode == aws.decode


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("storage__table_buckets", 0, "storage.table_buckets: .* greater than or equal to 1"),
        ("storage__unit_images", 0, "storage.unit_images: .* greater than or equal to 1"),
        ("storage__memory_mb", 0, "storage.memory_mb: .* greater than or equal to 64"),
        ("storage__versioning", "on", "storage.versioning: .* 'require', 'enable' or 'ignore'"),
        ("storage__root", "", "storage.root: .* at least 1 character"),
        ("sensors__interval_seconds", 1, "sensors.interval_seconds: .* equal to 5"),
        ("sensors__status", "on", "sensors.status: Input should be 'running' or 'stopped'"),
        ("budget__pass_seconds", 0, "budget.pass_seconds: .* greater than 0"),
        ("decode__background", [0, 0, 256], "decode.background.2: .* equal to 255"),
        (
            "runner__kind",
            "slurm",
            "runner: .*'kind' does not match any of the expected tags: .*'sagemaker'",
        ),
        ("runner__device", "gpu", "runner.*device: Input should be 'auto', 'cpu' or 'cuda'"),
        ("runner__read__tries", 0, "runner.*read.tries: .* greater than or equal to 1"),
        ("crawl__shards__at_once", 0, "crawl.shards.at_once: .* greater than or equal to 1"),
        ("crawl__shards__header_bytes", 511, "crawl.shards.header_bytes: .* or equal to 512"),
        ("storage__bucket", 1, "unknown key 'bucket'"),
    ],
)
def test_a_wrong_value_is_said_with_its_place(tmp_path, key, value, message):
    path = copy_conf(tmp_path) / "profiles" / "local.yaml"
    change(path, **{key: value})
    with pytest.raises(ConfigError, match=rf"^conf/profiles/local\.yaml:\d+: {message}"):
        read_yaml(path, ProfileConfig)


SAGEMAKER = {
    "kind": "sagemaker",
    "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/dataproc:1",
    "role": "arn:aws:iam::123456789012:role/dataproc",
    "instance_type": "ml.g5.xlarge",
    "instances": 2,
    "processes": 1,
    "volume_gb": 100,
    "max_hours": 24,
    "threads": 1,
    "readers": 4,
    "device": "auto",
    "read": {"tries": 3, "backoff_seconds": 0.5, "stop_after": 50},
}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("image", "", "runner.*image: String should match pattern"),
        ("role", "dataproc", "runner.*role: String should match pattern"),
        ("instance_type", "g5.xlarge", "runner.*instance_type: String should match pattern"),
        ("instances", 0, "runner.*instances: .* greater than or equal to 1"),
        ("volume_gb", 0, "runner.*volume_gb: .* greater than or equal to 1"),
        ("max_hours", 121, "runner.*max_hours: .* less than or equal to 120"),
        ("retries", -1, "runner.*retries: .* greater than or equal to 0"),
        ("network", {"subnets": []}, "runner.*network.subnets: .* at least 1 item"),
        ("subnet", "subnet-1", "unknown key 'subnet'"),
    ],
)
def test_a_wrong_value_for_sagemaker_is_said_with_its_place(tmp_path, key, value, message):
    path = copy_conf(tmp_path) / "profiles" / "aws.yaml"
    change(path, runner=SAGEMAKER)
    assert read_yaml(path, ProfileConfig).runner.kind == "sagemaker"
    change(path, runner={**SAGEMAKER, key: value})
    with pytest.raises(ConfigError, match=message):
        read_yaml(path, ProfileConfig)


@pytest.mark.parametrize("root", ["storage", "crawl"])
def test_sagemakers_machines_see_no_folder_of_this_one(tmp_path, root):
    path = copy_conf(tmp_path) / "profiles" / "aws.yaml"
    by_folders = {"by": "folders", "connections": 8, "split_after": 1000}
    change(path, runner=SAGEMAKER, crawl__listing=by_folders)
    change(path, **{f"{root}__root": "data"})
    with pytest.raises(ConfigError, match=rf"sagemaker.*{root}\.root must be on s3://"):
        read_yaml(path, ProfileConfig)
