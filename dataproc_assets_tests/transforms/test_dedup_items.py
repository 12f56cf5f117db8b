import polars as pl

from dataproc_assets.transforms.dedup_items import current_column, dedup_items
from dataproc_assets_tests.transforms.frames import rows

INVENTORY = pl.LazyFrame({"image_key": ["x/1", "x/2"], "version": ["v", "w"]})
VECTOR = pl.Array(pl.Float16, 2)
FACTS = {
    "pixels_phash": pl.UInt64,
    "pixels_md5": pl.String,
    "pixels_bytes": pl.Int64,
    "pixels": pl.Int64,
    "keep": pl.Boolean,
}


def parts(*items) -> pl.LazyFrame:
    """Rows of parts: key, version, status, vector."""
    return pl.LazyFrame(
        [(key, version, status, vector, "p") for key, version, status, vector in items],
        schema={
            "image_key": pl.String,
            "version": pl.String,
            "status": pl.String,
            "clip_embedding": VECTOR,
            "part": pl.String,
        },
        orient="row",
    )


def test_an_embedding_counts_where_it_is_ok_and_of_the_present_bytes():
    found = current_column(
        parts(
            ("x/1", "v", "ok", [1, 0]),
            ("x/2", "v", "ok", [0, 1]),
            ("x/3", "v", "ok", [0, 1]),
            ("x/1", "u", "ok", [0, 1]),
        ),
        INVENTORY,
        "clip",
        "embedding",
    )
    assert found.collect().rows() == [("x/1", [1.0, 0.0])]
    assert found.collect_schema()["embedding"] == VECTOR
    failed = current_column(parts(("x/1", "v", "failed", None)), INVENTORY, "clip", "embedding")
    assert failed.collect().is_empty()


def test_a_source_that_was_never_scored_has_no_embeddings():
    none = parts().drop("clip_embedding")
    assert current_column(none, INVENTORY, "clip", "embedding").collect().is_empty()


def test_every_row_is_an_item_scored_or_not_kept_or_not():
    known = rows(
        {"image_key": "x/2", "source": "x", "keep": False, "pixels_md5": "m2", "md5": "r2"},
        {"image_key": "x/1", "source": "x", "keep": True, "pixels": 12, "linked_pixiv_id": "5"},
        **FACTS,
    ).lazy()
    items = dedup_items(known, pl.lit(0.5))
    assert items["image_key"].to_list() == ["x/1", "x/2"]
    assert items["keep"].to_list() == [True, False]
    assert items["md5"].to_list() == [None, "m2"]
    assert items["record_md5"].to_list() == [None, "r2"]
    assert items["linked_pixiv_id"].to_list() == ["5", None]
    assert items["trust"].to_list() == [0.5, 0.5]
