import polars as pl
import pytest

from dataproc_assets.transforms.namespace import add_namespace, strip_namespace


def test_only_the_named_source_is_stripped():
    frame = pl.LazyFrame({"image_key": ["a"], "pixiv__score": [1], "danbooru__score": [2]})
    assert strip_namespace(frame, "pixiv").collect().columns == [
        "image_key",
        "score",
        "danbooru__score",
    ]


def test_putting_on_and_taking_off_is_nothing():
    frame = pl.LazyFrame({"image_key": ["a"], "score": [1]})
    named = add_namespace(frame, "pixiv", ["score"])
    assert named.collect_schema().names() == ["image_key", "pixiv__score"]
    assert strip_namespace(named, "pixiv").collect().equals(frame.collect())


def test_two_columns_of_one_name_are_refused():
    frame = pl.LazyFrame({"score": [1], "pixiv__score": [2]})
    with pytest.raises(ValueError, match=r"cannot strip 'pixiv__': .* has score"):
        strip_namespace(frame, "pixiv")
