import json

from dataproc_assets.config.override import overridden
from dataproc_assets.config.project import load_project
from dataproc_assets.config.settings import changed, leaves, put, settings, with_settings

PROJECT = load_project(profile="local")


def test_settings_are_plain_values_that_come_back_as_they_were():
    kept = json.loads(json.dumps(settings(PROJECT)))
    again = with_settings(PROJECT, kept)
    assert settings(again) == kept
    assert again.curation == PROJECT.curation and again.dedup == PROJECT.dedup
    assert again.recipes == PROJECT.recipes and again.sources == PROJECT.sources


def test_the_settings_of_another_project_are_taken_over():
    other = overridden(overridden(PROJECT, "prefiltered.clip_score=1.5"), "trust.pixiv.tags=0.1")
    again = with_settings(PROJECT, settings(other))
    assert again.curation == other.curation and again.sources == other.sources


def test_what_differs_is_named_by_its_path():
    other = overridden(overridden(PROJECT, "prefiltered.clip_score=1.5"), "dedup.cosine=0.95")
    assert changed(settings(PROJECT), settings(other)) == [
        (("curation", "prefilter", "low_clip_score", "value"), 1.2, 1.5),
        (("dedup", "cosine"), 0.97, 0.95),
    ]


def test_no_name_of_a_person_and_no_word_of_safety_is_among_them():
    text = json.dumps(settings(PROJECT))
    safety = PROJECT.safety
    for word in (*safety.opt_out.artists, *safety.opt_out.artist_ids, *safety.banned_words):
        assert word not in text


def test_a_value_is_put_in_and_taken_away_in_a_copy():
    values = {"a": {"b": 1, "c": 2}}
    assert put(values, ("a", "b"), 3) == {"a": {"b": 3, "c": 2}}
    assert put(values, ("a", "b"), None) == {"a": {"c": 2}}
    assert put(values, ("x", "y"), 4)["x"] == {"y": 4}
    assert values == {"a": {"b": 1, "c": 2}}
    assert dict(leaves({"a": {"b": 1}, "c": {}, "d": [1]})) == {
        ("a", "b"): 1,
        ("c",): {},
        ("d",): [1],
    }
