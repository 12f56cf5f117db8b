import numpy as np
import pytest

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.namespace import add_namespace
from dataproc_assets.transforms.prefilter import prefilter
from dataproc_assets_tests.transforms.frames import INTAKE, changed, conf, rows

RULES = conf("curation", CurationConfig).prefilter


def judged(*items):
    frame = rows(*items).drop("source")
    own = [name for name in frame.columns if name not in ("image_key", *INTAKE)]
    merged = add_namespace(frame.lazy(), "pixiv", own)
    return merged, prefilter(merged, "pixiv", RULES).collect()


def one(**values):
    return judged({"image_key": "pixiv/1_p0", **values})[1].row(0, named=True)


def test_columns_and_rows_stay_and_three_are_added():
    merged, out = judged({"image_key": "pixiv/1_p0"}, {"image_key": "pixiv/2_p0", "clip_score": 0})
    names = merged.collect_schema().names()
    assert out.columns == [*names, "keep", "drop_reason", "drop_reasons"]
    assert out.select(names).equals(merged.collect())
    assert out["keep"].to_list() == [True, False]


BELOW = float(np.nextafter(np.float32(1.2), np.float32(0)))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"clip_score": 1.2}, None),
        ({"clip_score": BELOW}, "low_clip_score"),
        ({"clip_score": None}, "low_clip_score"),
        ({"clip_score": float("nan")}, "low_clip_score"),
        ({"softmax_nsfw": 0.79}, None),
        ({"softmax_nsfw": 0.81}, "unsafe_softmax"),
        ({"pixels_width": 256, "pixels_height": 256}, None),
        ({"pixels_width": 255, "pixels_height": 257}, "too_small"),
        ({"pixels_width": 900, "pixels_height": 300}, None),
        ({"pixels_width": 901, "pixels_height": 300}, "too_wide"),
        ({"pixels_width": 330, "pixels_height": 1000}, None),
        ({"pixels_width": 329, "pixels_height": 1000}, "too_tall"),
        ({"status": "deleted"}, "bad_status"),
        ({"status": None}, None),
        ({"kind": "animation"}, "not_an_image"),
    ],
)
def test_each_rule_at_its_threshold(values, reason):
    row = one(**values)
    assert (row["drop_reason"], row["keep"]) == (reason, reason is None)


def test_the_first_reason_is_the_first_rule_and_all_are_listed():
    row = one(clip_score=0.5, softmax_nsfw=0.9, status="deleted")
    assert row["drop_reason"] == "low_clip_score"
    assert row["drop_reasons"] == ["low_clip_score", "unsafe_softmax", "bad_status"]


def test_a_drop_at_intake_comes_first_and_as_it_is():
    row = one(
        intake_drop="too_few_likes", intake_drops=["too_few_likes", "cover"], metrics_status=None
    )
    assert row["drop_reason"] == "too_few_likes"
    assert row["drop_reasons"] == ["too_few_likes", "cover"]


def test_what_was_not_scored_is_dropped_with_the_kind_of_error():
    failed = one(metrics_status="failed", metrics_error="truncated: 12 of 99 bytes")
    assert failed["drop_reasons"] == ["undecodable: truncated"]
    assert one(metrics_status="retry")["drop_reasons"] == ["not_scored"]
    assert one(metrics_status=None)["drop_reasons"] == ["not_scored"]
    assert one(metrics_status=None, has_image=False)["drop_reasons"] == ["no_image"]


def test_a_rule_on_an_unknown_column_names_it():
    merged, _ = judged({"image_key": "pixiv/1_p0"})
    rule = changed(RULES[0], column="clip_scor")
    with pytest.raises(ValueError, match="clip_scor"):
        prefilter(merged, "pixiv", [rule])


def test_pixels_do_not_overflow():
    assert one(pixels_width=65_536, pixels_height=65_536)["keep"]  # 2^32, 0 in 32 bits
