import pytest

from dataproc_assets.config.override import OverrideError, overridden
from dataproc_assets.config.project import load_project

PROJECT = load_project(profile="local")


def rule(project, name):
    return next(rule for rule in project.curation.prefilter if rule.name == name)


def test_a_rule_is_named_by_itself_or_by_its_column():
    for setting in ("prefiltered.low_clip_score=1.0", "prefiltered.clip_score=1.0"):
        changed = overridden(PROJECT, setting)
        assert rule(changed, "low_clip_score").value == 1.0
        assert rule(changed, "too_small") == rule(PROJECT, "too_small")
    assert rule(PROJECT, "low_clip_score").value == 1.2


def test_a_rule_with_several_values_takes_a_list():
    changed = overridden(PROJECT, "prefiltered.bad_status=[active, pending]")
    assert rule(changed, "bad_status").values == ["active", "pending"]


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("dedup.cosine=0.96", lambda p: p.dedup.cosine == 0.96),
        ("dedup.detail.chroma=41", lambda p: p.dedup.detail.chroma == 41),
        ("augmented.tiers.min_group=3", lambda p: p.curation.augment.tiers.min_group == 3),
        ("images.tag_p.pixiv=0.5", lambda p: p.curation.merge.tag_p["pixiv"] == 0.5),
        ("trust.pixiv.tags=0.6", lambda p: p.sources["pixiv"].trust.tags == 0.6),
        ("prompts.kohaku.token_budget=60", lambda p: p.recipes["kohaku"].token_budget == 60),
        ("release.demo.caps.artist=3", lambda p: p.releases["demo"].caps.artist == 3),
    ],
)
def test_each_place_is_a_part_of_the_configuration(setting, read):
    assert not read(PROJECT)
    assert read(overridden(PROJECT, setting))


def test_what_is_set_to_what_it_is_changes_nothing():
    for setting in ("dedup.cosine=0.97", "images.tag_confidence_min=0.3", "trust.pixiv.tags=0.8"):
        same = overridden(PROJECT, setting)
        assert same.curation == PROJECT.curation and same.dedup == PROJECT.dedup


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cosine", "is no setting: write place.name=value"),
        ("dedup=1", "is no setting"),
        ("dedup.cosin=1", "no name 'cosin' \\(did you mean 'cosine'"),
        ("dedpu.cosine=1", "no place 'dedpu' \\(did you mean 'dedup'"),
        ("prefiltered.clp_score=1", "no rule or column 'clp_score' \\(did you mean 'clip_score'"),
        ("dedup.cosine=7", "less than or equal to 1"),
        ("dedup.cosine.low=1", "cosine has nothing below it"),
        ("dedup.cosine=[1", "is no value of YAML"),
        ("prompts.kohaku=1", "say which of"),
        ("trust.pixi.tags=1", "no name 'pixi' \\(did you mean 'pixiv'"),
    ],
)
def test_what_there_is_not_is_told_with_the_nearest(setting, said):
    with pytest.raises(OverrideError, match=said):
        overridden(PROJECT, setting)
