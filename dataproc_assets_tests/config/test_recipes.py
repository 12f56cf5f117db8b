import pytest
from pydantic import ValidationError

from dataproc_assets.config.recipes import DropoutConfig, GroupConfig, RecipeConfig
from dataproc_assets_tests.transforms.frames import changed, conf

RECIPE = conf("recipes/animagine4", RecipeConfig)


def test_shipped_recipes_are_valid():
    assert RECIPE.groups[0].name == "count"
    assert RECIPE.groups[-1].name == "quality"
    illustrious = conf("recipes/illustrious", RecipeConfig)
    assert [rule.share for rule in illustrious.dropout] == [0.3, 0.2, 0.1, 0.04]


@pytest.mark.parametrize(
    "rule",
    [
        {"share": 1.1, "keep_max": 3},
        {"share": 0.5},
        {"share": 0.5, "keep_share": 0.3},
        {"share": 0.5, "keep_min": 3},
        {"share": 0.5, "keep_share": 0.3, "keep_min": 3, "keep_max": 4},
        {"share": 0.5, "keep_max": -1},
    ],
)
def test_a_dropout_rule_is_one_way_or_the_other(rule):
    with pytest.raises(ValidationError):
        DropoutConfig.model_validate(rule)


def test_shares_add_up_to_one_at_most():
    half = {"share": 0.5, "keep_max": 3}
    assert len(changed(RECIPE, dropout=[half, half]).dropout) == 2
    with pytest.raises(ValidationError, match="more than 1"):
        changed(RECIPE, dropout=[half, half, {"share": 0.01, "keep_max": 3}])


def test_groups_select_and_have_one_order():
    with pytest.raises(ValidationError, match="needs categories or tags"):
        GroupConfig(name="general", priority=0)
    with pytest.raises(ValidationError, match="needs categories or tags"):
        GroupConfig(name="year", kind="year", tags=["x"], priority=0)
    year = {"name": "year", "kind": "year", "priority": 1}
    with pytest.raises(ValidationError, match="same name"):
        changed(RECIPE, groups=[year, {**year, "priority": 2}])
    with pytest.raises(ValidationError, match="same priority"):
        changed(RECIPE, groups=[year, {**year, "name": "other"}])


def test_a_separator_ends_in_a_blank_so_that_tokens_add_up():
    with pytest.raises(ValidationError, match="separator"):
        changed(RECIPE, separator=",")


def test_sections_need_a_separator_and_never_fall():
    count, year = {"name": "count", "tags": ["1girl"]}, {"name": "year", "kind": "year"}
    groups = [{**count, "priority": 0}, {**year, "priority": 1, "section": 1}]
    words = {"rating_words": {}, "tier_words": {}}
    marked = changed(RECIPE, groups=groups, section_separator=" ||| ", **words)
    assert [group.section for group in marked.groups] == [0, 1]
    with pytest.raises(ValidationError, match="belong together"):
        changed(RECIPE, groups=groups, **words)
    with pytest.raises(ValidationError, match="belong together"):
        changed(RECIPE, section_separator=" ||| ")
    with pytest.raises(ValidationError, match="must not fall"):
        changed(RECIPE, groups=groups[::-1], section_separator=" ||| ", **words)


def test_a_group_has_its_words_and_words_their_group():
    cuts = {"cuts": [{"above": 50, "words": "good"}, {"above": 0, "words": "bad"}]}
    assert changed(RECIPE, tier_words={}, quality=cuts).quality is not None
    with pytest.raises(ValidationError, match="tier_words or quality"):
        changed(RECIPE, quality=cuts)
    with pytest.raises(ValidationError, match="tier_words or quality"):
        changed(RECIPE, tier_words={})
    with pytest.raises(ValidationError, match="rating_words"):
        changed(RECIPE, rating_words={})
    with pytest.raises(ValidationError, match="cuts must fall"):
        changed(RECIPE, tier_words={}, quality={"cuts": cuts["cuts"][::-1]})
