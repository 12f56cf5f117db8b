from dataclasses import replace

import pytest

from dataproc_assets.release.extract import UnpackError
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import manifest_of, run
from dataproc_assets_tests.release.unpacking import write
from dataproc_assets_tests.stores import copied


@pytest.fixture
def store(released, tmp_path) -> ObjectStore:
    """A copy of it."""
    return copied(released, ObjectStore(str(tmp_path / "store")))


def test_a_table_that_was_changed_is_refused(store, tmp_path):
    path = f"{manifest_of(store).root}/train.parquet"
    store.put(path, store.get(path) + b" ")
    with pytest.raises(UnpackError, match=r"train\.parquet is not what was published"):
        write(store, tmp_path / "unpacked")


def test_latents_of_another_release_of_that_name_are_refused(store, tmp_path):
    manifest = manifest_of(store, kind="latents")
    store.put("latents/small/manifest.json", replace(manifest, inputs={"release": "0"}).to_json())
    with pytest.raises(UnpackError, match="is of another release of the name 'small'"):
        write(store, tmp_path / "unpacked")
    assert write(store, tmp_path / "unpacked", latents=False).images == 9


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"recipe": "other"}, "no recipe 'other': animagine, illustrious"),
        ({"split": "other"}, "no split 'other': train"),
        ({"split": "../train"}, "no split"),
    ],
)
def test_what_is_not_in_the_release_is_named_with_what_is(released, asked, said):
    with pytest.raises(UnpackError, match=said):
        plan_unpack(released, "small", **asked)


def test_a_release_without_tars_or_none_at_all(tmp_path, crawl):
    store = ObjectStore(str(tmp_path))
    with pytest.raises(FileNotFoundError, match="'small' is not published"):
        plan_unpack(store, "small")
    run(store, crawl, release_config(formats=["parquet"]))
    with pytest.raises(UnpackError, match=r"has no tars.*'webdataset' among its formats"):
        plan_unpack(store, "small")
