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
        ("storage__root", "", "storage.root: .* at least 1 character"),
        ("sensors__interval_seconds", 1, "sensors.interval_seconds: .* equal to 5"),
        ("sensors__status", "on", "sensors.status: Input should be 'running' or 'stopped'"),
        ("budget__pass_seconds", 0, "budget.pass_seconds: .* greater than 0"),
        ("decode__background", [0, 0, 256], "decode.background.2: .* equal to 255"),
        (
            "runner__kind",
            "slurm",
            "runner: .*'kind' does not match any of the expected tags: 'local', 'dask'",
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
