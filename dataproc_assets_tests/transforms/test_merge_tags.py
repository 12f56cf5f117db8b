import polars as pl
import pytest

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.merge_tags import TAG, merge_tags
from dataproc_assets_tests.transforms.frames import TRUST, changed, conf, stacked

MERGE = changed(
    conf("curation", CurationConfig).merge,
    tag_p={"default": 0.5, "danbooru": 1.0},
    tag_confidence_min=0.25,
    machine_trust={"tagger": 0.5},
    aliases={"オリジナル": "original"},
)


def merged(*items, tagger=(), merge=MERGE):
    best = stacked(*items).with_columns(pl.lit("i").alias("image_id"))
    machine = [{"tag": tag, "category": category, "p": p} for tag, category, p in tagger]
    standing = stacked({"image_key": "danbooru/1", "tagger_tags": machine}).select(
        pl.lit("i").alias("image_id"), "tagger_tags"
    )
    out = merge_tags(best, standing, merge, TRUST).collect()
    assert out.schema["tags"] == pl.List(TAG)
    return {tag["tag"]: tag for tag in (out["tags"].item() if len(out) else [])}


def test_confidence_is_one_minus_the_product_of_doubts():
    tags = merged(
        {"image_key": "danbooru/1", "tags_general": ["smile", "hat"]},
        {"image_key": "gelbooru/2", "tags_general": ["smile"]},
        tagger=[("smile", "general", 0.8), ("cat", "general", 0.6)],
    )
    assert tags["smile"]["confidence"] == pytest.approx(1 - (1 - 0.9) * (1 - 0.35) * (1 - 0.4))
    assert tags["smile"]["sources"] == ["danbooru", "gelbooru", "tagger"]
    assert tags["hat"]["confidence"] == 0.9
    assert tags["cat"]["confidence"] == 0.3
    assert list(tags) == ["smile", "hat", "cat"]


def test_a_tag_at_the_threshold_stays_and_one_below_goes():
    item = {"image_key": "pixiv/1_p0", "tags_general": ["smile"]}
    assert "smile" in merged(item)  # 0.5 x 0.5
    assert merged(item, merge=changed(MERGE, tag_confidence_min=0.2501)) == {}


def test_ties_are_in_order_of_the_tag():
    tags = merged({"image_key": "danbooru/1", "tags_general": ["b", "c", "a"]})
    assert list(tags) == ["a", "b", "c"]


def test_spelling_and_aliases_join_what_sources_write_differently():
    tags = merged(
        {"image_key": "danbooru/1", "tags_copyright": ["original"], "tags_general": ["Cat Ears"]},
        {"image_key": "pixiv/2_p0", "tags_general": ["オリジナル", "cat_ears"]},
    )
    assert tags["original"]["sources"] == ["danbooru", "pixiv"]
    assert tags["cat_ears"]["sources"] == ["danbooru", "pixiv"]


def test_a_category_outranks_general_which_sites_without_categories_use():
    tags = merged(
        {"image_key": "danbooru/1", "tags_general": ["miku"]},
        {"image_key": "gelbooru/1", "tags_character": ["miku"]},
    )
    assert tags["miku"]["category"] == "character"
    conflict = merged(
        {"image_key": "danbooru/1", "tags_character": ["saber"]},
        {"image_key": "gelbooru/1", "tags_copyright": ["saber"]},
    )
    assert conflict["saber"]["category"] == "character"  # danbooru is trusted more


def test_one_source_counts_once_however_often_it_says_a_tag():
    tags = merged({"image_key": "danbooru/1", "tags_general": ["hat", "Hat"], "tags_meta": ["hat"]})
    assert tags["hat"]["confidence"] == 0.9
    assert tags["hat"]["category"] == "meta"
