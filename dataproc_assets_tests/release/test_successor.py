import polars as pl
import pytest

from dataproc_assets.release.manifest import read_manifest, verify
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.tars import shard_name
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.withdrawn import present_name, read_withdrawn
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import manifest_of, run
from dataproc_assets_tests.release.purging import CONFIG, clear, first_shard, store, traces
from dataproc_assets_tests.release.revoking import revoke_rows

__all__ = ["store"]  # a fixture


def test_a_shard_of_revoked_images_alone_is_left_out_without_a_gap(store, crawl):
    rows = read_train(store, "small")
    old = manifest_of(store, "small")
    assert len(first_shard(rows, number=1)) > 0
    moved = old.files[shard_name("webdataset/train", 1)]
    gone = first_shard(rows)
    clear(store, revoke_rows(store, gone))
    new = manifest_of(store, "small.1")
    assert new.files[shard_name("webdataset/train", 0)].sha256 == moved.sha256
    assert len(first_shard(read_train(store, "small.1"))) == moved.rows
    assert verify(store, "small.1") == [] and traces(store, crawl, gone) == []


def test_a_release_without_tars_and_one_that_loses_a_split(crawl, tmp_path):
    store = ObjectStore(str(tmp_path))
    run(store, crawl, release_config(name="tables", formats=["parquet"]))
    rows = read_train(store, "tables")
    run(store, crawl, CONFIG)
    split = read_train(store, "small").filter(pl.col("split") == "validation")
    revoked = revoke_rows(store, pl.concat([rows.head(1), split.select(rows.columns)]).unique())
    gone = len(revoked.sha256s)
    for name in ("tables", "small"):
        before = read_train(store, name)
        assert before.height == rows.height - gone
        clear(store, revoked, name)
        assert read_train(store, f"{name}.1").drop("shard").equals(before.drop("shard"))
        assert verify(store, name) == []
    manifest = manifest_of(store, "small.1")
    assert manifest.files["validation.parquet"].rows == 0
    assert not any("/validation" in path for path in manifest.files if path.endswith(".tar"))


def test_a_damaged_shard_is_not_passed_on(store):
    rows = read_train(store, "small")
    old = manifest_of(store, "small")
    path = f"{old.root}/{rows['shard'][0]}"
    data = bytearray(store.get(path))
    data[600] ^= 1
    store.put(path, bytes(data))
    with pytest.raises(Exception, match="not those that were published; restore it from a copy"):
        clear(store, revoke_rows(store, rows.head(1)))
    assert read_manifest(store, "releases/small.1") is None


def test_the_next_one_has_the_next_number(store, crawl):
    rows = read_train(store, "small")
    clear(store, revoke_rows(store, rows.head(1)))
    done = clear(store, revoke_rows(store, rows.slice(1, 1), "2026-12-01"), "small.1")
    assert done is not None and done.successor == "small.2"
    assert present_name(store, "small") == "small.2"
    assert read_train(store, "small").height == rows.height - 2
    assert traces(store, crawl, rows.head(2)) == []
    steps = manifest_of(store, "small.2").counts["funnel"]
    assert [step["name"] for step in steps[-2:]] == ["revoked", "revoked"]
    told = read_withdrawn(store, "small.1")
    assert told is not None and told.date == "2026-12-01"
