from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.tiers import TIER_SCHEMA, rank_posts, ranked_posts
from dataproc_assets_tests.transforms.frames import changed, conf

AS_OF = date(2026, 11, 1)
TIERS = changed(
    conf("curation", CurationConfig).augment.tiers,
    min_group=4,
    min_age_days=30,
    window_days=730,
    half_life_days=None,
    cuts=[
        {"name": "best", "above": 75.0},
        {"name": "good", "above": 25.0},
        {"name": "worst", "above": 0.0},
    ],
)


def posts(*items, age=400):
    """(score, rating, age in days) or a bare score, as posts of pixiv."""
    full = [item if isinstance(item, tuple) else (item, "general", age) for item in items]
    noon = datetime(2026, 11, 1, 12)
    return pl.DataFrame(
        {
            "pixiv__favourites": [score for score, _, _ in full],
            "pixiv__rating": [rating for _, rating, _ in full],
            "pixiv__created": [None if a is None else noon - timedelta(days=a) for _, _, a in full],
        },
        schema_overrides={
            "pixiv__favourites": pl.Int64,
            "pixiv__rating": pl.String,
            "pixiv__created": pl.Datetime("us", "UTC"),
        },
    )


def tiered(frame, tiers=TIERS):
    return rank_posts(ranked_posts(frame.lazy(), "pixiv", tiers).collect(), tiers, AS_OF)


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


def test_ratings_are_apart_an_unknown_one_too():
    mine, other, unknown = (
        [(n + base, rating, 400) for n in range(4)]
        for base, rating in ((0, "general"), (100, "explicit"), (1000, None))
    )
    out = tiered(posts(*mine, *other, *unknown))
    assert out["tier"].to_list() == ["worst", "good", "good", "best"] * 3


@pytest.mark.parametrize(("days", "fellows"), [(364, 5), (365, 5), (366, 4)])
def test_the_window_reaches_half_of_its_days_before_and_after(days, fellows):
    """The post between is ranked among five where both of its neighbours are within reach."""
    near = [(n, "general", 1000) for n in (1, 2)]
    frame = posts(
        *near, (3, "general", 1000), (9, "general", 1000 + 365), (0, "general", 1000 - days)
    )
    place = tiered(frame)["tier_percentile"][2]
    below = 3 if fellows == 5 else 2
    assert place == (2 * below + 1) * 50 / fellows


def test_windows_move_with_their_post():
    """Of three generations of equal spread, the middle one is compared with both others."""
    old, mid, new = ([(n, "general", age) for n in range(4)] for age in (1100, 800, 500))
    out = tiered(
        posts(*old, *[(s + 4, r, a) for s, r, a in mid], *[(s + 8, r, a) for s, r, a in new])
    )
    places = out["tier_percentile"].to_list()
    assert places[4:8] == [(2 * less + 1) * 50 / 12 for less in (4, 5, 6, 7)]
    assert places[0] == 6.25 and places[8] == 56.25  # of eight: the far generation is out of reach


def test_without_a_tier_there_is_a_reason():
    out = tiered(
        posts(
            1, 2, 3, 4, (9, "general", 29), (9, "general", 30), None, (5, "general", None), age=60
        )
    )
    assert out["tier_reason"].to_list() == [None] * 4 + ["too_young", None, "no_score", "no_date"]
    assert out["tier"].is_null().to_list() == [False] * 4 + [True, False, True, True]
    few = tiered(posts(1, 2, 3))
    assert few.schema == TIER_SCHEMA
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


def test_a_post_after_as_of_says_that_as_of_is_behind():
    frame = posts(1, 2, 3, 4, (9, "general", 0), (9, "general", -1), (None, "general", -1), age=60)
    assert tiered(frame)["tier_reason"].to_list()[4:] == ["too_young", "after_as_of", "no_score"]
    ripe = tiered(frame, changed(TIERS, min_age_days=0))
    assert ripe["tier_reason"].to_list()[4:] == [None, "after_as_of", "no_score"]


def test_unknown_and_boundless_scores():
    views = posts(*[None] * 5).with_columns(
        pl.Series("pixiv__score", [1.0, 2.0, float("nan"), float("inf"), -float("inf")])
    )
    by_score = changed(TIERS, scores={"pixiv": "score"})
    out = tiered(views, by_score)
    assert out["tier_reason"].to_list() == [None, None, "no_score", None, None]
    assert out["tier_percentile"].to_list() == [37.5, 62.5, None, 87.5, 12.5]


def test_no_posts_have_no_tiers():
    assert tiered(posts()).schema == TIER_SCHEMA and tiered(posts()).is_empty()
    assert tiered(posts(None, None))["tier_reason"].to_list() == ["no_score"] * 2


def test_a_source_without_a_score_column_is_named():
    with pytest.raises(ValueError, match="no 'flickr'"):
        ranked_posts(posts(1).lazy(), "flickr", changed(TIERS, scores={}))


def test_a_source_that_is_not_named_is_ranked_by_the_default():
    named = ranked_posts(posts(*range(9)).lazy(), "pixiv", TIERS).collect()
    flickr = posts(*range(9)).rename(lambda name: name.replace("pixiv", "flickr"))
    assert named["score"].to_list() == [*map(float, range(9))]
    assert named.equals(ranked_posts(flickr.lazy(), "flickr", TIERS).collect())


POSTS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 6),
        st.sampled_from(["general", "explicit", None]),
        st.none() | st.integers(-5, 900),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=100, deadline=None)
@given(POSTS, st.integers(1, 900))
def test_places_are_those_of_counting_one_by_one(items, window_days):
    out = tiered(posts(*items), changed(TIERS, window_days=window_days))
    ripe = [i for i in items if i[0] is not None and i[2] is not None and i[2] >= 30]
    for (score, rating, age), row in zip(items, out.rows(named=True), strict=True):
        fellows = [s for s, r, a in ripe if r == rating and abs(a - (age or 0)) <= window_days // 2]
        if (score, rating, age) not in ripe or len(fellows) < 4:
            assert row["tier"] is None and row["tier_reason"] is not None
            continue
        middle = sum(s < score for s in fellows) + fellows.count(score) / 2
        assert row["tier_percentile"] == pytest.approx(100 * middle / len(fellows))
        assert (row["tier"], row["tier_reason"]) != (None, None)


@settings(max_examples=50, deadline=None)
@given(POSTS, st.randoms())
def test_the_order_of_rows_changes_nothing(items, random):
    frame = posts(*items)
    order = list(range(len(items)))
    random.shuffle(order)
    assert tiered(frame[order]).equals(tiered(frame)[order])
