import pytest
from pydantic import ValidationError

from dataproc_assets.config.safety import SafetyConfig
from dataproc_assets_tests.transforms.frames import changed, conf

SAFETY = conf("safety", SafetyConfig)


def test_shipped_file_is_valid():
    assert "optout_artist" in SAFETY.opt_out.artists
    assert "forbiddenword" in SAFETY.banned_words


@pytest.mark.parametrize("key", ["never", "skip_never", "allow", "never_rules"])
def test_there_is_no_switch_for_the_never_rules(key):
    with pytest.raises(ValidationError, match="Extra inputs"):
        changed(SAFETY, **{key: False})


@pytest.mark.parametrize("level", [-0.1, 1.1])
def test_a_classifier_threshold_is_a_share(level):
    with pytest.raises(ValidationError):
        changed(SAFETY.ai, scores=[{"column": "softmax_ai", "at_least": level}])


def test_an_artist_id_names_its_platform():
    with pytest.raises(ValidationError, match="artist_ids"):
        changed(SAFETY.opt_out, artist_ids=["12345"])
