import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dataproc_assets.transforms.merge_metrics import done_rows, merge_metrics

ROW = {"image_key": pl.String, "version": pl.String, "status": pl.String, "error": pl.String}
CLIP = {**ROW, "clip_embedding": pl.Array(pl.Float16, 2), "clip_score": pl.Float32}
INVENTORY = pl.LazyFrame({"image_key": ["x/1", "x/2", "x/3"], "version": ["v", "v", "w"]})
ELIGIBLE = pl.LazyFrame({"image_key": ["x/1", "x/2", "x/3"], "intake_drop": [None, None, None]})


def clip(*rows) -> pl.LazyFrame:
    """Rows of parts: key, version, status, score, part."""
    return pl.LazyFrame(
        [
            (
                key,
                version,
                status,
                None if status == "ok" else f"{status}: why",
                [1, 0],
                score,
                part,
            )
            for key, version, status, score, part in rows
        ],
        schema={**CLIP, "part": pl.String},
        orient="row",
    )


def pixels(*rows) -> pl.LazyFrame:
    """Rows of parts: key, status, width."""
    return pl.LazyFrame(
        [
            (key, "v", status, None if status == "ok" else f"{status}: pixels", width, "p")
            for key, status, width in rows
        ],
        schema={**ROW, "pixels_width": pl.Int32, "part": pl.String},
        orient="row",
    )


ALL = (("x/1", "v", "ok", 1.5, "p"), ("x/2", "v", "ok", 0.5, "p"), ("x/3", "w", "ok", 2.0, "p"))


def merged(**parts) -> list[tuple]:
    return merge_metrics(ELIGIBLE, INVENTORY, parts).collect().rows()


def test_metrics_stand_side_by_side_without_embeddings_and_thumbnails():
    detailed = pixels(("x/1", "ok", 9)).with_columns(pixels_detail=pl.lit(b""))
    rows = merge_metrics(ELIGIBLE, INVENTORY, {"pixels": detailed, "clip": clip(*ALL)}).collect()
    names = ["image_key", "metrics_status", "metrics_error", "clip_score", "pixels_width"]
    assert rows.columns == names
    assert rows.rows() == [
        ("x/1", "ok", None, 1.5, 9),
        ("x/2", "missing", None, 0.5, None),
        ("x/3", "missing", None, 2.0, None),
    ]


def test_a_score_of_other_bytes_does_not_count():
    assert merged(clip=clip(("x/3", "v", "ok", 2.0, "p")))[2] == ("x/3", "missing", None, None)


def test_a_failure_of_one_metric_is_one_of_the_image_with_its_error():
    rows = merged(clip=clip(*ALL[:2]), pixels=pixels(("x/1", "failed", None), ("x/2", "ok", 9)))
    assert rows[0] == ("x/1", "failed", "failed: pixels", 1.5, None)
    assert rows[1] == ("x/2", "ok", None, 0.5, 9)


def test_a_row_to_retry_is_not_there_yet():
    assert merged(clip=clip(("x/1", "v", "retry", None, "p")))[0] == ("x/1", "missing", None, None)


def test_what_is_dropped_at_intake_has_no_row():
    dropped = ELIGIBLE.with_columns(
        intake_drop=pl.when(pl.col("image_key") == "x/2").then(pl.lit("small"))
    )
    rows = merge_metrics(dropped, INVENTORY, {"clip": clip(*ALL)}).collect()
    assert rows["image_key"].to_list() == ["x/1", "x/3"]


TWICE = [
    ("x/1", "v", "failed", None, "a"),
    ("x/1", "v", "ok", 2.0, "c"),
    ("x/1", "v", "ok", 1.0, "b"),
    ("x/1", "v", "retry", None, "0"),
    ("x/2", "v", "failed", None, "b"),
    ("x/1", "u", "ok", 9.0, "a"),
]


@given(st.permutations(TWICE))
def test_of_several_rows_the_ok_one_of_the_first_part_counts_in_any_order(rows):
    found = done_rows(clip(*rows)).select("image_key", "version", "status", "clip_score")
    assert found.collect().rows() == [
        ("x/1", "u", "ok", 9.0),
        ("x/1", "v", "ok", 1.0),
        ("x/2", "v", "failed", None),
    ]
