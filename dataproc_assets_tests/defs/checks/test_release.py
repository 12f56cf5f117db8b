import polars as pl
import pytest

from dataproc_assets.defs.checks.release import LATENTS, RELEASE
from dataproc_assets.release.manifest import Manifest, read_manifest
from dataproc_assets.storage.parquet import from_parquet, to_parquet
from dataproc_assets_tests.defs.asking import ask, failed, figures
from dataproc_assets_tests.defs.world import World


def test_all_pass_on_what_was_published(finished: World):
    assert failed(ask(RELEASE, finished.lake, "release", "demo")) == []


def test_a_changed_byte_blocks(world: World):
    manifest = _manifest(world)
    (shard,) = [name for name in manifest.files if name.endswith(".tar")]
    path = f"{manifest.root}/{shard}"
    data = world.lake.store.get(path)
    world.lake.store.put(path, data[:-1] + b"x")
    results = ask(RELEASE, world.lake, "release", "demo")
    assert failed(results) == ["intact"]
    assert results["intact"].severity.value == "ERROR"
    (problem,) = figures(results["intact"])["problems"]
    assert shard in problem and "are not those that were published" in problem


def test_a_lost_file_blocks(world: World):
    manifest = _manifest(world)
    world.lake.store.delete(f"{manifest.root}/README.md")
    (problem,) = figures(ask(RELEASE, world.lake, "release", "demo")["intact"])["problems"]
    assert problem.endswith("README.md: is missing")


@pytest.mark.parametrize(
    "change",
    [{"rating": pl.lit("explicit")}, {"rating": None}, {"opt_out": True}, {"ai": pl.lit("yes")}],
    ids=["rating", "no rating", "opt_out", "ai"],
)
def test_a_row_that_was_not_asked_for_is_told(world: World, change: dict):
    path = f"{_manifest(world).root}/train.parquet"
    first = pl.int_range(pl.len()) == 0
    edit = [
        pl.when(first).then(value).otherwise(name).alias(name) for name, value in change.items()
    ]
    train = from_parquet(world.lake.store.get(path)).with_columns(edit)
    world.lake.store.put(path, to_parquet(train))
    results = ask(RELEASE, world.lake, "release", "demo")
    assert failed(results) == ["intact", "allowed"]
    assert figures(results["allowed"])["image_ids"] == [train["image_id"][0]]


def test_latents_that_were_never_published_are_told(world: World):
    results = ask(LATENTS, world.lake, "latents", "demo")
    assert failed(results) == ["sound"]
    assert "nothing was published here" in figures(results["sound"])["problems"][0]


def _manifest(world: World) -> Manifest:
    manifest = read_manifest(world.lake.store, "releases/demo")
    assert manifest is not None
    return manifest
