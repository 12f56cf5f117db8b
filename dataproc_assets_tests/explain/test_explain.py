import json
from typing import Any

import pytest
import yaml

from dataproc_assets.explain.explain import explain
from dataproc_assets.explain.subject import find_subject
from dataproc_assets.explain.text import text
from dataproc_assets_tests.defs.posts import (
    AI,
    BANNED_WORD,
    FEW_BOOKMARKS,
    KEPT,
    LOW_SCORE,
    NEVER,
    NO_IMAGE,
    OPT_OUT,
    TWIN,
)
from dataproc_assets_tests.demo import TRUTH, Demo


def told(lake, key: str) -> dict[str, Any]:
    (answer,) = explain(lake, find_subject(lake, key))
    return answer


def ends(lake, key: str) -> list[tuple[str, Any]]:
    """Where a key ends: stage and rule, or whether a release holds it."""
    return [(end["stage"], end.get("rule", end.get("holds"))) for end in told(lake, key)["ended"]]


@pytest.mark.parametrize(
    ("key", "stage", "rule"),
    [
        (NO_IMAGE, "todo", "no_image"),
        (FEW_BOOKMARKS, "todo", "few_bookmarks_old"),
        (LOW_SCORE, "prefiltered", "low_clip_score"),
        (AI, "sanitized", "ai"),
        (NEVER, "sanitized", "never_tag"),
        (OPT_OUT, "sanitized", "opt_out"),
        (BANNED_WORD, "sanitized", "banned_word"),
    ],
)
def test_the_first_ending_names_stage_and_rule(finished, key, stage, rule):
    assert ends(finished.lake, key)[0] == (stage, rule)


def test_a_hit_tells_what_the_rule_saw(finished):
    (end,) = told(finished.lake, LOW_SCORE)["ended"]
    assert end["column"] == "clip_score" and end["value"] == 0.5
    assert end["keeps"] == "clip_score >= 1.2"


def test_a_released_image_has_its_whole_way(finished):
    answer = told(finished.lake, KEPT[1])
    (end,) = answer["ended"]
    assert end["holds"] and end["images"][0]["shard"].startswith("webdataset/")
    assert answer["way"]["record"]["title"] == "work 101"
    assert answer["way"]["scores"]["clip"]["fingerprint"]
    assert not any(rule["hit"] for rule in answer["way"]["rules"])
    assert answer["image"]["fields"]["title"]["source"] == "pixiv"
    (prompt,) = answer["prompts"]["animagine4"]
    assert prompt["keep"] and prompt["tokens"] <= prompt["budget"]


def test_a_duplicate_names_who_replaced_it_and_goes_on_with_its_image(finished):
    members = {row["image_key"]: row for row in told(finished.lake, TWIN[0])["cluster"]["members"]}
    (duplicate,) = [key for key in TWIN if members[key]["role"] == "duplicate"]
    (standing,) = set(TWIN) - {duplicate}
    answer = told(finished.lake, duplicate)
    first, last = answer["ended"]
    assert (first["rule"], first["replaced_by"]) == ("duplicate", standing)
    assert first["evidence"] == answer["cluster"]["edges"][0]["evidence"]
    assert last["holds"] and last["images"][0]["representative"] == standing
    assert standing in answer["cluster"]["ways"]
    lost = answer["image"]["fields"]["artist"]["losing"]
    assert {answer["image"]["fields"]["artist"]["source"], lost[0]["source"]} == {
        "danbooru",
        "pixiv",
    }


def test_a_release_that_does_not_hold_an_image_says_by_which_step(finished):
    answer = told(finished.lake, AI)
    assert "step 'kept by recipe animagine4'" in answer["ended"][-1]["why"]
    assert "does not hold it: it is taken away by" in text(answer)


def test_of_a_quarantined_image_no_word_is_told(finished):
    answer = told(finished.lake, NEVER)
    assert answer["safety"]["held"] and answer["safety"]["facts"][NEVER] == ["never_tag"]
    for form in (json.dumps(answer, default=str), text(answer)):
        assert "1girl" not in form and "loli" not in form and ".png" not in form


def test_every_answer_is_json_and_text(finished):
    for key in (*KEPT, TWIN[1], FEW_BOOKMARKS, LOW_SCORE, NO_IMAGE, AI, NEVER):
        answer = told(finished.lake, key)
        assert json.loads(json.dumps(answer, default=str))["key"] == key
        assert text(answer).startswith(f"{key}\n  ended ")


EXPECTED = {
    "kept": {("release", True)},
    "cross_posts": {("release", True)},
    "variants": {("release", True)},
    "ai_flagged": {("sanitized", "ai")},
    "opted_out_artist": {("sanitized", "opt_out")},
    "banned_artist": {("todo", "not_active"), ("prefiltered", "bad_status")},
    "banned_words": {("sanitized", "banned_word")},
    "never_rules": {("sanitized", "never_tag"), ("sanitized", "child_tag_in_adult")},
    "never_rules_kept": {("release", True)},
    "rating_conflict": {("release", False)},
    "deleted_post": {("todo", "not_active")},
    "third_party_edit": {("sanitized", "banned_content")},
    "escaped_tags": {("release", True)},
    "pixel_perfect_duplicate": {("todo", "pixel_perfect_child"), ("release", True)},
    "same_source_duplicate": {("release", True)},
    "retweet": {("todo", "not_a_still_image")},
    "low_engagement": {
        ("todo", "few_bookmarks_old"),
        ("todo", "large_account_few_likes"),
        ("todo", "large_account_without_success"),
    },
    "corrupt": {("prefiltered", "undecodable: not_an_image")},
    "truncated": {("prefiltered", "undecodable: truncated")},
    "bomb": {("prefiltered", "undecodable: too_many_pixels")},
    "exif_rotated": {("release", True)},
    "transparent": {("release", True)},
    "animated_gif": {("prefiltered", "animated")},
    "low_pixels": {("prefiltered", "too_small")},
    "extreme_aspect": {("prefiltered", "too_wide")},
    "hash_name": {("release", True)},
    "record_without_image": {("todo", "no_image")},
    "image_without_record": {("todo", "no_record")},
    "cover_asset": {("todo", "not_a_still_image")},
}
"""By class of the ground truth, where its images end, but for being a duplicate of each other."""
CLASSES = yaml.safe_load(TRUTH.read_text(encoding="utf-8"))["classes"]
WITHOUT_KEYS = {"hidden_files", "bad_record"}


def keys_of(name: str) -> list[str]:
    groups = CLASSES[name].get("groups", [])
    keys = [key for group in groups for key in group.get("keys", [])]
    keys += [member["key"] for group in groups for member in group.get("members", [])]
    return sorted({*keys, *CLASSES[name].get("keys", [])})


def test_every_class_of_the_ground_truth_is_walked():
    assert set(CLASSES) == set(EXPECTED) | WITHOUT_KEYS
    assert all(keys_of(name) for name in EXPECTED)


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
@pytest.mark.parametrize("name", EXPECTED)
def test_each_image_of_the_sample_crawl_ends_as_the_ground_truth_expects(demo: Demo, name: str):
    lake, seen = demo.lake(), set()
    for key in keys_of(name):
        first = next(end for end in ends(lake, key) if end != ("dedup_cross", "duplicate"))
        assert first in EXPECTED[name], key
        seen.add(first)
    assert seen == EXPECTED[name]


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_images_from_all_over_the_sample_crawl_have_an_answer(demo: Demo):
    lake = demo.lake()
    keys = [
        key
        for source in lake.project.sources
        for key in lake.read("todo", source).collect()["image_key"]
    ]
    assert len(keys) > 300
    for key in keys[::6]:
        answer = told(lake, key)
        assert answer["ended"], key
        assert text(answer)


@pytest.mark.slow
@pytest.mark.xdist_group("demo")
def test_a_record_that_was_set_aside_is_told_with_its_reason(demo: Demo):
    for path in CLASSES["bad_record"]["paths"]:
        said = demo.command("explain", path.rpartition("/")[2], check=False)
        assert "set it aside at intake" in said and path in said
