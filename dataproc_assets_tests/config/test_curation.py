from datetime import date

import pytest
from pydantic import ValidationError

from dataproc_assets.config.curation import CurationConfig, MergeConfig, TiersConfig
from dataproc_assets_tests.transforms.frames import changed, conf

CURATION = conf("curation", CurationConfig)


def test_shipped_file_is_valid():
    assert CURATION.as_of.isoformat() == "2026-11-01"
    assert "low_clip_score" in [rule.name for rule in CURATION.prefilter]


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_outside_0_to_1_fails(share):
    with pytest.raises(ValidationError, match="tag_confidence_min"):
        changed(CURATION.merge, tag_confidence_min=share)
    with pytest.raises(ValidationError, match="tagger"):
        changed(CURATION.merge, machine_trust={"tagger": share})


def test_cuts_must_fall_and_reach_zero():
    tiers = CURATION.augment.tiers
    with pytest.raises(ValidationError, match="must fall"):
        changed(tiers, cuts=[{"name": "a", "above": 50.0}, {"name": "b", "above": 60.0}])
    with pytest.raises(ValidationError, match="above: 0"):
        changed(tiers, cuts=[{"name": "a", "above": 50.0}])
    with pytest.raises(ValidationError):
        changed(tiers, cuts=[{"name": "a", "above": 100.0}])
    assert isinstance(changed(tiers, cuts=[{"name": "a", "above": 0.0}]), TiersConfig)


def test_the_last_period_reaches_the_year_of_as_of():
    assert changed(CURATION, as_of=date(2026, 12, 31)).as_of.year == 2026
    with pytest.raises(
        ValidationError, match=r"as_of 2027-01-01 is after .* newest ends with 2026"
    ):
        changed(CURATION, as_of=date(2027, 1, 1))
    with pytest.raises(ValidationError, match="as_of"):
        changed(CURATION, as_of="soon")


def test_periods_may_not_overlap():
    one = {"name": "one", "first_year": 2005, "last_year": 2010}
    with pytest.raises(ValidationError, match="one and two overlap"):
        changed(
            CURATION.augment,
            periods=[one, {"name": "two", "first_year": 2010, "last_year": 2012}],
        )
    with pytest.raises(ValidationError, match="after last_year"):
        changed(CURATION.augment, periods=[{"name": "x", "first_year": 2011, "last_year": 2010}])


def test_tag_p_needs_a_default_and_fields_are_known():
    with pytest.raises(ValidationError, match="default"):
        changed(CURATION.merge, tag_p={"pixiv": 0.5})
    with pytest.raises(ValidationError, match="fields"):
        MergeConfig.model_validate({**CURATION.merge.model_dump(), "fields": ["rating"]})
