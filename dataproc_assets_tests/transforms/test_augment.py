from datetime import UTC, datetime

import polars as pl

from dataproc_assets.config.curation import CurationConfig
from dataproc_assets.transforms.augment import augment
from dataproc_assets.transforms.namespace import add_namespace
from dataproc_assets_tests.transforms.frames import INTAKE, conf, rows

CURATION = conf("curation", CurationConfig)


def augmented(*items):
    frame = rows(*items).drop("source")
    own = [name for name in frame.columns if name not in ("image_key", *INTAKE)]
    return augment(add_namespace(frame.lazy(), "pixiv", own), "pixiv", CURATION).collect()


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


def test_years_and_periods_end_where_the_configuration_says():
    days = [
        datetime(y, m, d, tzinfo=UTC) for y, m, d in ((2004, 12, 31), (2005, 1, 1), (2011, 1, 1))
    ]
    out = augmented(
        *[{"image_key": f"pixiv/{n}_p0", "created": day} for n, day in enumerate(days)],
        {"image_key": "pixiv/9_p0", "created": None},
    )
    assert out["year"].to_list() == [2004, 2005, 2011, None]
    assert out["period"].to_list() == [None, "oldest", "early", None]
    assert out["tier_reason"].to_list() == ["no_score"] * 4
