from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.merge_images import merge_images
from dataproc_assets.transforms.merge_report import disagreements, tag_counts, values_won
from dataproc_assets_tests.transforms.frames import TRUST, changed, cluster, conf, stacked

CURATION = conf("curation", CurationConfig)
D, P = "danbooru/1", "pixiv/3_p0"


def images():
    items = [
        {"image_key": D, "rating": "explicit", "title": "same", "tags_general": ["hat"]},
        {"image_key": P, "rating": "general", "title": "same", "tags_general": ["cat"]},
    ]
    low = changed(CURATION.merge, tag_p={"default": 0.2, "danbooru": 1.0})
    rows, curation = stacked(*items).collect(), changed(CURATION, merge=low)
    return merge_images(cluster(D, P).collect(), rows, curation, TRUST)


def test_each_value_is_counted_for_the_source_it_is_of():
    won = {(field, source): count for field, source, count in values_won(images()).rows()}
    assert won[("rating", "danbooru")] == 1 and ("rating", "pixiv") not in won
    assert sum(count for (field, _), count in won.items() if field == "title") == 1
    assert not [field for field, _ in won if field == "artist"]


def test_sources_that_say_the_same_do_not_disagree():
    differ = dict(disagreements(images()).rows())
    assert (differ["rating"], differ["title"], differ["opt_out"]) == (1, 0, 0)


def test_tags_are_counted_by_what_became_of_them():
    assert tag_counts(images()).rows() == [("kept", 1), ("below confidence", 1)]
