import pytest

from dataproc_assets_tests.sources.raw import read, reason


def test_the_key_takes_the_hash_id():
    assert read("artstation")["image_key"] == "artstation/mr5aZ_12260469"


def test_the_key_takes_the_number_only_without_a_hash_id():
    assert read("artstation", hash_id=None)["image_key"] == "artstation/3513664_12260469"


def test_no_id_at_all_is_rejected():
    assert reason("artstation", hash_id=None, id=None) == "hash_id: field required"


def test_an_asset_without_id_is_rejected():
    assert reason("artstation", asset={"asset_type": "image"}) == "asset.id: field required"
    assert reason("artstation", asset="x") == "asset: not an object"


@pytest.mark.parametrize(
    ("asset_type", "kind"), [("image", "image"), ("cover", "cover"), ("video_clip", "animation")]
)
def test_a_cover_is_a_kind_of_its_own(asset_type, kind):
    assert read("artstation", asset={"id": 1, "asset_type": asset_type})["kind"] == kind


@pytest.mark.parametrize("mark", ["adult_content", "admin_adult_content", "hide_as_adult"])
def test_any_adult_mark_makes_it_explicit(mark):
    assert read("artstation")["rating"] == "general"
    assert read("artstation", **{mark: True})["rating"] == "explicit"


def test_false_as_text_is_false():
    assert read("artstation", adult_content="false")["rating"] == "general"


def test_without_marks_the_rating_is_unknown():
    marks = dict.fromkeys(("adult_content", "admin_adult_content", "hide_as_adult"))
    assert read("artstation", **marks)["rating"] is None
