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


def near(value: float) -> tuple[float, float, float]:
    """The Float32 numbers just below, at and just above a threshold."""
    at = np.float32(value)
    beside = [np.nextafter(at, np.float32(end)) for end in (-np.inf, np.inf)]
    return float(beside[0]), float(at), float(beside[1])


def sized(width: int, height: int) -> dict[str, int]:
    return {"pixels_width": width, "pixels_height": height}


LESS, AT, MORE = near(1.2)
UNDER, EXACT, OVER = near(0.8)
CLEAR, LIMIT, GLASS = near(0.95)
CASES = {  # of each rule the values that it keeps and those that it drops
    "low_clip_score": (
        [{"clip_score": AT}, {"clip_score": MORE}, {"clip_score": float("inf")}],
        [{"clip_score": value} for value in (LESS, None, float("nan"), -float("inf"))],
    ),
    "unsafe_softmax": (
        [{"softmax_nsfw": UNDER}, {"softmax_nsfw": EXACT}],
        [{"softmax_nsfw": value} for value in (OVER, 1.0, None, float("nan"))],
    ),
    "too_small": ([sized(256, 256), sized(257, 256)], [sized(255, 256), sized(255, 257)]),
    "too_wide": ([sized(900, 300), sized(899, 300)], [sized(901, 300)]),
    "too_tall": ([sized(330, 1000), sized(331, 1000)], [sized(329, 1000)]),
    "transparent": (
        [{"pixels_alpha_share": value} for value in (CLEAR, LIMIT, None)],
        [{"pixels_alpha_share": GLASS}],
    ),
    "animated": ([{"pixels_frames": 1}, {"pixels_frames": None}], [{"pixels_frames": 2}]),
    "bad_status": (
        [{"status": "active"}, {"status": None}],
        [{"status": value} for value in ("deleted", "pending", "flagged", "ACTIVE", "")],
    ),
    "not_an_image": (
        [{"kind": "image"}, {"kind": None}],
        [{"kind": value} for value in ("animation", "cover", "retweet")],
    ),
}


def test_every_shipped_rule_has_its_cases():
    assert list(CASES) == [rule.name for rule in RULES]


@pytest.mark.parametrize("name", CASES)
def test_each_rule_keeps_at_its_threshold_and_drops_just_beyond(name):
    kept, dropped = CASES[name]
    assert [one(**values)["drop_reasons"] for values in kept] == [[]] * len(kept)
    for values in dropped:
        row = one(**values)
        assert (row["drop_reason"], row["drop_reasons"], row["keep"]) == (name, [name], False)


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
