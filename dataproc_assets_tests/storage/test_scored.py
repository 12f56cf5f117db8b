import polars as pl
import pytest

from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.parquet import to_parquet
from dataproc_assets.storage.scored import (
    ROWS_AT_ONCE,
    done_rows,
    keys_in,
    parts_holding,
    unit_batches,
)


def put(store: ObjectStore, path: str, *rows: tuple[str, str, str]) -> str:
    schema = {"image_key": pl.String, "version": pl.String, "status": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    store.put(path, to_parquet(frame.with_columns(embedding=pl.lit([1, 2]))))
    return path


def test_rows_that_are_ok_or_failed_for_good_are_done(store):
    paths = [
        put(store, "a=1/x [1].parquet", ("p/1", "v", "ok"), ("p/2", "v", "retry")),
        put(store, "a=1/y.parquet", ("p/2", "w", "failed")),
    ]
    rows = done_rows(store, paths).collect()
    assert rows.rows() == [("p/1", "v"), ("p/2", "w")]
    assert done_rows(store, []).collect().schema == rows.schema


def test_a_part_that_is_gone_is_an_error(store):
    path = put(store, "x.parquet", ("p/1", "v", "ok"))
    with pytest.raises(FileNotFoundError, match=r"y\.parquet"):
        done_rows(store, [path, "y.parquet"]).collect()


def test_the_parts_that_hold_some_images_are_found_by_their_keys_alone(store):
    paths = [
        put(store, "a=1/x [1].parquet", ("p/1", "v", "ok"), ("p/2", "v", "retry")),
        put(store, "a=1/y.parquet", ("p/2", "w", "failed")),
        put(store, "a=1/z.parquet"),
    ]
    for keys, held in ((["p/1"], paths[:1]), (["p/2", "p/9"], paths[:2]), (["p/9"], []), ([], [])):
        assert parts_holding(store, paths, pl.Series(keys, dtype=pl.String)) == held
    assert parts_holding(store, [], pl.Series(["p/1"])) == []


def test_keys_of_parts_of_different_models_are_read_together(store):
    paths = [put(store, "clip.parquet", ("p/1", "v", "ok")), "text.parquet"]
    store.put(paths[1], to_parquet(pl.DataFrame({"text": ["a"], "image_key": ["p/2"]})))
    assert keys_in(store, paths).collect().rows() == [("p/1", paths[0]), ("p/2", paths[1])]


def test_metrics_of_a_unit_come_together():
    parts = {
        "clip": ["m/clip/f/a.clip.parquet", "m/clip/f/c.clip.parquet"],
        "pixels": ["m/pixels/g/a.pixels.parquet", "m/pixels/g/b.pixels.parquet"],
    }
    assert unit_batches(parts, ROWS_AT_ONCE // 2) == [
        {"clip": [parts["clip"][0]], "pixels": parts["pixels"]},
        {"clip": [parts["clip"][1]], "pixels": []},
    ]
    assert len(unit_batches(parts, 2 * ROWS_AT_ONCE)) == 3
    (everything,) = unit_batches(parts, 1)
    assert everything == parts
    assert unit_batches({"clip": []}, 1) == []
