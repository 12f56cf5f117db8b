from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.tiers import with_tiers
from dataproc_assets_tests.transforms.frames import changed, conf

AS_OF = date(2026, 11, 1)
TIERS = changed(
    conf("curation", CurationConfig).augment.tiers,
    min_group=4,
    min_age_days=30,
    window_years=2,
    half_life_days=None,
    cuts=[
        {"name": "best", "above": 75.0},
        {"name": "good", "above": 25.0},
        {"name": "worst", "above": 0.0},
    ],
)


def posts(*items, age=400):
    """(score, rating, age in days) or a bare score."""
    full = [item if isinstance(item, tuple) else (item, "general", age) for item in items]
    noon = datetime(2026, 11, 1, 12)
    return pl.DataFrame(
        {
            "n": list(range(len(full))),
            "favourites": [score for score, _, _ in full],
            "rating": [rating for _, rating, _ in full],
            "created": [None if a is None else noon - timedelta(days=a) for _, _, a in full],
        },
        schema_overrides={
            "favourites": pl.Int64,
            "rating": pl.String,
            "created": pl.Datetime("us", "UTC"),
        },
    )


def tiered(frame, tiers=TIERS):
    return with_tiers(frame.lazy(), "pixiv", tiers, AS_OF).sort("n").collect()


def test_percentiles_are_middle_ranks_and_a_cut_is_strictly_above():
    out = tiered(posts(1, 2, 3, 4))
    assert out["tier_percentile"].to_list() == [12.5, 37.5, 62.5, 87.5]
    assert out["tier"].to_list() == ["worst", "good", "good", "best"]
    at_the_cut = tiered(posts(1, 2), changed(TIERS, min_group=2))
    assert at_the_cut["tier_percentile"].to_list() == [25.0, 75.0]
    assert at_the_cut["tier"].to_list() == ["worst", "good"]


def test_equal_scores_share_a_percentile():
    out = tiered(posts(5, 5, 5, 9))
    assert out["tier_percentile"].to_list() == [37.5, 37.5, 37.5, 87.5]


def test_groups_are_apart_by_rating_and_window():
    old = 800  # beyond the first window of two years, 730 days
    low, high = (
        [(n, "general", 400) for n in range(4)],
        [(n + 100, "general", old) for n in range(4)],
    )
    other = [(n + 1000, "explicit", 400) for n in range(4)]
    out = tiered(posts(*low, *high, *other))
    assert out["tier"].to_list() == ["worst", "good", "good", "best"] * 3


def test_without_a_tier_there_is_a_reason():
    out = tiered(
        posts(1, 2, 3, 4, (9, "general", 29), (9, "general", 30), None, (5, "general", None))
    )
    assert out["tier_reason"].to_list() == [None] * 4 + ["too_young", None, "no_score", "no_date"]
    assert out["tier"].is_null().to_list() == [False] * 4 + [True, False, True, True]
    few = tiered(posts(1, 2, 3))
    assert few["tier_reason"].to_list() == ["too_few"] * 3
    assert few["tier"].to_list() == [None] * 3


def test_the_young_do_not_count_as_members_of_the_group():
    out = tiered(posts(1, 2, 3, (9, "general", 1)))
    assert out["tier_reason"].to_list() == ["too_few"] * 3 + ["too_young"]


def test_a_half_life_lifts_the_younger_of_two_equal_scores():
    out = tiered(
        posts(
            (10, "general", 30), (10, "general", 300), (11, "general", 300), (99, "general", 300)
        ),
        changed(TIERS, half_life_days=30.0),
    )
    # after one half life, 10 counts as 20
    assert out["tier_percentile"].to_list() == [62.5, 12.5, 37.5, 87.5]


def test_a_source_without_a_score_column_is_named():
    with pytest.raises(ValueError, match="no 'flickr'"):
        with_tiers(posts(1).lazy(), "flickr", changed(TIERS, scores={}), AS_OF)


def test_a_source_that_is_not_named_is_ranked_by_the_default():
    named = with_tiers(posts(*range(9)).lazy(), "pixiv", TIERS, AS_OF).collect()
    default = with_tiers(posts(*range(9)).lazy(), "flickr", TIERS, AS_OF).collect()
    assert named["tier"].null_count() == 0 and named.equals(default)


@given(st.lists(st.integers(0, 6), min_size=4, max_size=30), st.randoms())
def test_the_order_of_rows_changes_nothing(scores, random):
    frame = posts(*scores)
    order = list(range(len(scores)))
    random.shuffle(order)
    assert tiered(frame[order]).equals(tiered(frame))
