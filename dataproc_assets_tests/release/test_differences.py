import polars as pl
import pytest

from dataproc_assets.release.build import ReleaseExistsError
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import Crawl, release_config
from dataproc_assets_tests.release.making import run


@pytest.fixture
def published(crawl, tmp_path) -> ObjectStore:
    """A store with a release of two splits, to which what follows is another one."""
    store = ObjectStore(str(tmp_path))
    run(store, crawl, release_config(splits={"train": 0.6, "validation": 0.4}))
    return store


def said(store: ObjectStore, crawl: Crawl, **changes) -> str:
    splits = {"splits": {"train": 0.6, "validation": 0.4}}
    with pytest.raises(ReleaseExistsError) as caught:
        run(store, crawl, release_config(**splits | changes))
    return str(caught.value)


def test_other_shares_of_splits_change_rows_and_take_none(published, crawl):
    message = said(published, crawl, splits={"train": 1.0})
    assert "config splits.train: 0.6 -> 1.0" in message
    assert "config splits.validation: 0.4 -> None" in message
    assert "rows: 9 -> 9; 0 gone; 0 new; " in message
    assert "0 changed" not in message
    assert "shards differ (first: webdataset/train-0000" in message


def test_a_bound_of_a_score_is_told_with_its_column(published, crawl):
    scores = pl.Series("clip_score", range(12), dtype=pl.Float32)
    scored = Crawl(crawl.images.with_columns(scores), crawl.sanitized, crawl.addresses)
    select = {"ratings": ["general", "sensitive"], "scores": {"clip_score": {"at_least": 6}}}
    message = said(published, scored, select=select)
    assert "config select.scores.clip_score.at_least: None -> 6.0" in message
    assert "columns in one of the two only: clip_score" in message
    assert "; 0 new; " in message and " gone (first: " in message


def test_one_changed_row_is_named_with_its_shard(published, crawl):
    images = crawl.images.with_columns(
        title=pl.when(pl.col("representative") == "pixiv/0_p0")
        .then(pl.lit("new"))
        .otherwise("title")
    )
    hit = crawl.images.filter(representative="pixiv/0_p0")["image_id"].item()
    message = said(published, Crawl(images, crawl.sanitized, crawl.addresses))
    assert f"rows: 9 -> 9; 0 gone; 0 new; 1 changed (first: {hit})" in message
    assert "1 shards differ" in message


def test_files_of_another_form_are_not_put_down_to_rows(published, crawl, monkeypatch):
    monkeypatch.setattr("dataproc_assets.release.publish.FORMAT", 0)
    message = said(published, crawl)
    assert "neither rows nor config: this version of the program writes other files" in message
    assert "rows: " not in message
