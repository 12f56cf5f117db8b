import pytest

from dataproc_assets.config.project import load_project
from dataproc_assets.config.yaml import ConfigError
from dataproc_assets_tests.config.conf import change

KEY = "0123456789abcdef" * 4


def test_no_key_is_shipped_and_a_team_names_its_own(conf):
    assert load_project().takedown.public_keys == []
    change(conf / "takedown.yaml", public_keys=[KEY, "f" * 64])
    assert load_project(conf).takedown.public_keys == [KEY, "f" * 64]


def test_an_older_folder_has_no_such_file(conf):
    (conf / "takedown.yaml").unlink()
    assert load_project(conf).takedown.public_keys == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([KEY[:-1]], "should match pattern"),
        ([KEY.upper()], "should match pattern"),
        ([KEY, KEY], "a key is there twice"),
        (KEY, "valid list"),
    ],
)
def test_what_is_no_key_is_refused(conf, keys, said):
    change(conf / "takedown.yaml", public_keys=keys)
    with pytest.raises(ConfigError, match=rf"conf/takedown\.yaml:\d+: .*{said}"):
        load_project(conf)
