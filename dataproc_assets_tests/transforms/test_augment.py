from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.augment import augment
from dataproc_assets.transforms.namespace import add_namespace
from dataproc_assets.transforms.tiers import TIER_SCHEMA, rank_posts, ranked_posts
from dataproc_assets_tests.transforms.frames import INTAKE, conf, rows

CURATION = conf("curation", CurationConfig)


def augmented(*items):
    frame = rows(*items).drop("source")
    own = [name for name in frame.columns if name not in ("image_key", *INTAKE)]
    table = add_namespace(frame.lazy(), "pixiv", own).collect()
    config = CURATION.augment
    posts = ranked_posts(table.lazy(), "pixiv", config.tiers).collect()
    tiers = rank_posts(posts, config.tiers, CURATION.as_of)
    return augment(table, tiers, "pixiv", config).collect()


def test_sizes_are_those_of_the_decoded_image():
    out = augmented(
        {"image_key": "pixiv/1_p0", "width": 9, "height": 9},
        {"image_key": "pixiv/2_p0", "pixels_width": None, "pixels_height": None},
    )
    known, unknown = out.rows(named=True)
    assert (known["pixels"], known["aspect"]) == (512 * 384, 512 / 384)
    assert (known["bucket_width"], known["bucket_height"]) == (256, 256)
    assert unknown["pixels"] is None and unknown["aspect"] is None
    assert unknown["bucket_width"] is None
    assert out.schema["pixels"] == pl.Int64 and out.schema["bucket_width"] == pl.Int32


@pytest.mark.parametrize(
    ("day", "period"),
    [
        ("2004-12-31", None),
        ("2005-01-01", "oldest"),
        ("2010-12-31", "oldest"),
        ("2011-01-01", "early"),
        ("2014-12-31", "early"),
        ("2015-01-01", "mid"),
        ("2017-12-31", "mid"),
        ("2018-01-01", "recent"),
        ("2020-12-31", "recent"),
        ("2021-01-01", "newest"),
        ("2026-12-31", "newest"),
        ("2027-01-01", None),
        ("1970-01-01", None),
        (None, None),
    ],
)
def test_years_and_periods_end_where_the_configuration_says(day, period):
    moments = [f"{day}T{clock}+00:00" if day else None for clock in ("00:00:00", "23:59:59")]
    created = [moment and datetime.fromisoformat(moment) for moment in moments]
    out = augmented(
        *[{"image_key": f"pixiv/{n}_p0", "created": moment} for n, moment in enumerate(created)]
    )
    assert out["period"].to_list() == [period] * 2
    assert out["year"].to_list() == [day and int(day[:4])] * 2
    assert out.schema["year"] == pl.Int32 and out.schema["period"] == pl.String


def test_the_day_of_a_year_is_that_of_utc():
    tokyo = datetime(2021, 1, 1, 8, tzinfo=timezone(timedelta(hours=9)))
    out = augmented({"image_key": "pixiv/1_p0", "created": tokyo.astimezone(UTC)})
    assert (out["year"].item(), out["period"].item()) == (2020, "recent")


def test_dropped_rows_are_ranked_too():
    items = [{"image_key": f"pixiv/{n}_p0", "favourites": n} for n in range(6)]
    items[5] |= {"intake_drop": "no_image", "intake_drops": ["no_image"]}
    assert augmented(*items)["tier_percentile"].to_list() == [
        pytest.approx((2 * n + 1) * 100 / 12) for n in range(6)
    ]


def test_tiers_of_other_rows_are_refused():
    table = rows({"image_key": "pixiv/1_p0"}, {"image_key": "pixiv/2_p0"})
    with pytest.raises(ValueError, match="pixiv: 2 rows and tiers of 0"):
        augment(table, TIER_SCHEMA.to_frame(), "pixiv", CURATION.augment)
