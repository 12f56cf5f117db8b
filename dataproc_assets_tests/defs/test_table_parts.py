import polars as pl
import pytest
from polars.testing import assert_frame_equal

from dataproc_assets.defs.table_parts import table_parts
from dataproc_assets.storage import spill
from dataproc_assets_tests.defs.results import checks, metadata
from dataproc_assets_tests.defs.world import World

STAGES = ("merged", "prefiltered", "augmented")
INPUTS = ("records", "metrics_merged", "todo")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part for each bucket, however few its rows."""
    monkeypatch.setattr(spill, "PART_ROWS", 1)


def in_buckets(world: World, count: int) -> None:
    """The profile, with so many buckets a table from now on."""
    edit = {"table_buckets": count, "memory_mb": 64}
    world.change("profiles/local.yaml", lambda conf: conf["storage"].update(edit))


@pytest.mark.parametrize(("written", "made"), [(4, 4), (3, 4), (4, 1)])
def test_any_number_of_parts_writes_the_bytes_of_one_pass(world: World, small_parts, written, made):
    """Whether or not what is read was written in as many buckets as are written now."""
    before = {name: world.lake.read(name, "pixiv").collect() for name in STAGES}
    in_buckets(world, written)
    for name in INPUTS:
        world.lake.write(name, "pixiv", world.lake.read(name, "pixiv").collect(), inputs={})
    in_buckets(world, made)
    for name in STAGES:
        result = world.make(name, partition="pixiv")
        assert result.success and all(checks(result).values())
        info = world.lake.info(name, "pixiv")
        assert metadata(result, name)["dagster/row_count"] == info.rows == 5
        assert len(info.buckets) == made
        rows = world.lake.read(name, "pixiv").sort("image_key").collect()
        assert_frame_equal(rows, before[name])
        at_once = world.lake.write(name, "pixiv", before[name], inputs=info.inputs)
        assert at_once.buckets == info.buckets and at_once.digest == info.digest


def test_what_is_told_does_not_depend_on_the_parts(world: World, small_parts):
    told = [metadata(world.make(name, partition="pixiv"), name) for name in STAGES[1:]]
    in_buckets(world, 4)
    world.make("merged", partition="pixiv")
    again = [metadata(world.make(name, partition="pixiv"), name) for name in STAGES[1:]]
    for name in ("kept", "dropped", "drops", "funnel"):
        assert again[0][name] == told[0][name]
    assert again[1]["tiers"] == told[1]["tiers"]


def test_equal_keys_are_in_one_part_of_every_table(world: World, small_parts):
    in_buckets(world, 4)
    with table_parts(world.lake, {"records": "pixiv", "todo": "pixiv"}) as parts:
        assert parts.count == 4
        keys = [
            [parts.read(name, part).select("image_key").collect() for part in range(4)]
            for name in ("records", "todo")
        ]
    for records, todo in zip(*keys, strict=True):
        assert_frame_equal(records.sort("image_key"), todo.sort("image_key"))
    assert sum(some.height for some in keys[0]) == 5


def test_a_small_table_is_one_part_and_leaves_nothing_behind(world: World, monkeypatch):
    disk = world.home / "disk"
    disk.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    in_buckets(world, 8)
    with table_parts(world.lake, {"records": "pixiv"}) as parts:
        assert parts.count == 1 and len(list(disk.iterdir())) == 1
        assert parts.read("records", 0).select(pl.len()).collect().item() == 5
    assert list(disk.iterdir()) == []
