import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.transforms.pending import pass_seconds, pending

KEYS = ["x/1", "x/2", "x/3"]


def eligible(drops=(None, None, None)) -> pl.LazyFrame:
    return pl.LazyFrame(
        {"image_key": KEYS, "intake_drop": drops},
        schema={"image_key": pl.String, "intake_drop": pl.String},
    )


def inventory(versions=("v", "v", "v")) -> pl.LazyFrame:
    return pl.LazyFrame(
        {
            "image_key": KEYS,
            "uri": [f"/{key}" for key in KEYS],
            "offset": [None, 512, 1024],
            "length": [None, 5, 5],
            "size": [5, 5, 5],
            "version": versions,
        }
    )


def done(*rows) -> pl.LazyFrame:
    schema = {"image_key": pl.String, "version": pl.String}
    return pl.LazyFrame(rows, schema=schema, orient="row")


def left(scored, drops=(None, None, None), versions=("v", "v", "v")) -> dict[str, list[str]]:
    rows = pending(eligible(drops), inventory(versions), scored).collect()
    assert rows.columns == ["image_key", "version", "uri", "offset", "length", "metrics"]
    assert rows["image_key"].is_sorted()
    return dict(rows.select("image_key", "metrics").iter_rows())


def test_what_lacks_a_metric_is_pending_with_those_it_lacks():
    scored = {"clip": done(("x/1", "v"), ("x/2", "v")), "pixels": done(("x/1", "v"))}
    assert left(scored) == {"x/2": ["pixels"], "x/3": ["clip", "pixels"]}


def test_when_all_is_scored_nothing_is_pending():
    scored = {"clip": done(*((key, "v") for key in KEYS))}
    assert left(scored) == {}
    assert left({}) == {}


def test_other_bytes_are_scored_again_and_a_new_address_is_not():
    scored = {"clip": done(*((key, "v") for key in KEYS))}
    assert left(scored, versions=("v", "w", "v")) == {"x/2": ["clip"]}
    moved = inventory().with_columns(uri=pl.lit("/elsewhere"), offset=pl.lit(0))
    assert pending(eligible(), moved, scored).collect().is_empty()


def test_what_is_dropped_is_not_scored_and_comes_back_with_its_rule():
    scored = {"clip": done(("x/1", "v"))}
    assert left(scored, drops=(None, "small", "takedown")) == {}
    assert left(scored, drops=(None, None, "takedown")) == {"x/2": ["clip"]}


def test_a_record_without_an_image_is_not_pending():
    alone = pl.LazyFrame({"image_key": ["x/9"], "intake_drop": [None]}).cast(pl.String)
    assert pending(alone, inventory(), {"clip": done()}).collect().is_empty()


@given(st.permutations(range(3)), st.permutations(range(3)))
def test_the_order_of_rows_does_not_show(one, other):
    scored = {"pixels": done(("x/2", "v")), "clip": done(("x/1", "v"))}
    plain = pending(eligible(), inventory(), scored).collect()
    shuffled = pending(
        eligible().collect()[list(one)].lazy(), inventory().collect()[list(other)].lazy(), scored
    )
    assert shuffled.collect().equals(plain, null_equal=True)


def test_a_pass_takes_the_time_of_each_metric_it_asks_for():
    rows = pl.DataFrame({"metrics": [["clip", "pixels"], ["clip"]]})
    assert pass_seconds(rows, {"clip": 0.5, "pixels": 0.1}) == pytest.approx(1.1)
    assert pass_seconds(rows.clear(), {"clip": 0.5, "pixels": 0.1}) == 0.0
    with pytest.raises(pl.exceptions.InvalidOperationError):
        pass_seconds(rows, {"clip": 0.5})
