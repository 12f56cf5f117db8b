import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.transforms.pending import lacking, pass_seconds, pending, score_marks

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


def done(*rows) -> pl.DataFrame:
    schema = {"image_key": pl.String, "version": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def left(scored, drops=(None, None, None), versions=("v", "v", "v")) -> dict[str, list[str]]:
    rows = pending(eligible(drops), inventory(versions), scored)
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
    assert pending(eligible(), moved, scored).is_empty()


def test_what_is_dropped_is_not_scored_and_comes_back_with_its_rule():
    scored = {"clip": done(("x/1", "v"))}
    assert left(scored, drops=(None, "small", "takedown")) == {}
    assert left(scored, drops=(None, None, "takedown")) == {"x/2": ["clip"]}


def test_a_record_without_an_image_is_not_pending():
    alone = pl.LazyFrame({"image_key": ["x/9"], "intake_drop": [None]}).cast(pl.String)
    assert pending(alone, inventory(), {"clip": done()}).is_empty()


@given(st.permutations(range(3)), st.permutations(range(3)))
def test_the_order_of_rows_does_not_show(one, other):
    scored = {"pixels": done(("x/2", "v")), "clip": done(("x/1", "v"))}
    plain = pending(eligible(), inventory(), scored)
    shuffled = pending(
        eligible().collect()[list(one)].lazy(), inventory().collect()[list(other)].lazy(), scored
    )
    assert shuffled.equals(plain, null_equal=True)


def test_what_metrics_have_done_together_is_held_once():
    one, other = done(("x/1", "v"), ("x/2", "v")), done(("x/1", "v"), ("x/2", "w"))
    marks = score_marks({"pixels": one, "clip": one, "tagger": other})
    assert marks.select("image_key", "marks").rows() == [
        ("x/1", 0b011),
        ("x/2", 0b011),
        ("x/1", 0b100),
        ("x/2", 0b100),
    ]
    assert score_marks({}).schema == marks.schema


def test_key_and_version_are_not_mistaken_for_one_another():
    images = inventory(("1", "1v", "v")).collect()
    marks = score_marks({"clip": done(("x/11", "v"), ("x/2", "v"), ("x/", "2v"))})
    assert lacking(images, marks, ["clip"])["image_key"].to_list() == KEYS


ROWS = st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from("vw")), max_size=6)


@given(
    st.tuples(*[st.sampled_from("vw")] * 3),
    st.lists(st.dictionaries(st.sampled_from(["clip", "pixels", "tagger"]), ROWS), max_size=4),
)
def test_every_image_lacks_what_no_part_has_at_its_version(versions, parts):
    """However the rows are cut into parts, repeated or mixed with those of other versions."""
    metrics = ["clip", "pixels", "tagger"]
    marks = pl.concat(
        score_marks({m: done(*part.get(m, [])) for m in metrics}) for part in [*parts, {}]
    )
    rows = lacking(inventory(versions).collect(), marks, metrics)
    has = {(m, *row) for part in parts for m, rows in part.items() for row in rows}
    expected = {
        key: [m for m in metrics if (m, key, version) not in has]
        for key, version in zip(KEYS, versions, strict=True)
    }
    found = dict(rows.select("image_key", "metrics").iter_rows())
    assert found == {key: lack for key, lack in expected.items() if lack}


def test_a_pass_takes_the_time_of_each_metric_it_asks_for():
    rows = pl.DataFrame({"metrics": [["clip", "pixels"], ["clip"]]})
    assert pass_seconds(rows, {"clip": 0.5, "pixels": 0.1}) == pytest.approx(1.1)
    assert pass_seconds(rows.clear(), {"clip": 0.5, "pixels": 0.1}) == 0.0
    with pytest.raises(pl.exceptions.InvalidOperationError):
        pass_seconds(rows, {"clip": 0.5})
