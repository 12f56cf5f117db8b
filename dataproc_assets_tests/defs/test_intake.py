import json
import os
import shutil
from pathlib import Path

import polars as pl

from dataproc_assets.storage import layout
from dataproc_assets.storage.units import read_units, unit_rows
from dataproc_assets_tests.defs.posts import DANBOORU, FEW_BOOKMARKS, NO_IMAGE, pixiv_record
from dataproc_assets_tests.defs.results import cause, checks, data_version, metadata, reasons
from dataproc_assets_tests.defs.world import World

INTAKE = ("inventory", "records", "todo")
PICTURE = "dataset-pixiv/resized_1/103_p0.png"


def test_the_inventory_lists_files_and_members_of_tars(crawled: World):
    crawled.put("dataset-pixiv/resized_1/notes.txt", b"x")
    crawled.put("dataset-pixiv/resized_1/cover.png", b"x")
    result = crawled.make("inventory", partition="pixiv")
    rows = crawled.lake.read("inventory", "pixiv").collect()
    assert rows["image_key"].to_list() == [f"pixiv/{n}_p0" for n in (100, 101, 102, 103)]
    assert rows["offset"].null_count() == 4 and not rows["removed"].any()
    told = metadata(result, "inventory")
    assert (told["dagster/row_count"], told["added"], told["removed"]) == (4, 4, 0)
    assert reasons(told["set_aside"]) == {
        "matches no pattern of the source's crawl": 1,
        "the file's name is not one of the source's": 1,
    }
    assert told["digest"] == crawled.lake.info("inventory", "pixiv").digest
    assert told["dagster/uri"].endswith("stages/inventory/pixiv_inventory.parquet")
    assert [column.name for column in told["dagster/column_schema"].columns][:2] == [
        "image_key",
        "uri",
    ]

    crawled.make("inventory", partition="danbooru")
    rows = crawled.lake.read("inventory", "danbooru").collect()
    assert rows.height == 6 and rows["offset"].null_count() == 0
    assert rows["uri"].unique().to_list() == [str(crawled.bucket / "unidataset-danbooru/0000.tar")]


def test_a_shard_is_looked_into_once_whoever_asks_and_again_when_it_changed(crawled: World):
    def kept() -> pl.DataFrame:
        return crawled.lake.store.list(layout.shards_path("danbooru"))

    crawled.make("inventory", partition="danbooru")
    first = kept()
    assert first.height == 1
    crawled.make("records", partition="danbooru")
    crawled.make("inventory", partition="danbooru")
    assert kept().equals(first)  # a walk writes the file anew
    crawled.put_danbooru({})
    crawled.make("inventory", partition="danbooru")
    assert kept().height == 1
    assert not kept().equals(first)


def test_the_same_crawl_has_the_same_data_version(crawled: World):
    first = crawled.make("inventory", "records", partition="pixiv")
    second = crawled.make("inventory", "records", partition="pixiv")
    for asset in ("inventory", "records"):
        assert data_version(first, asset) == data_version(second, asset)
        assert data_version(first, asset) == crawled.lake.state(asset, "pixiv")
    crawled.add_pixiv(105, pixiv_record(105))
    third = crawled.make("inventory", "records", partition="pixiv")
    for asset in ("inventory", "records"):
        assert data_version(third, asset) != data_version(first, asset)
    assert metadata(third, "inventory")["added"] == 1


def test_what_is_set_aside_is_part_of_the_data_version(crawled: World):
    first = crawled.make("inventory", partition="pixiv")
    crawled.put("dataset-pixiv/resized_1/notes.txt", b"x")
    second = crawled.make("inventory", partition="pixiv")
    assert metadata(first, "inventory")["digest"] == metadata(second, "inventory")["digest"]
    assert data_version(first, "inventory") != data_version(second, "inventory")


def test_a_removal_over_the_share_is_held_back_until_the_limit_is_raised(crawled: World):
    crawled.make("inventory", partition="pixiv")
    (crawled.bucket / PICTURE).unlink()
    result = crawled.make("inventory", partition="pixiv")
    assert result.success  # the check warns, it does not block
    assert checks(result) == {"inventory:unique_key": True, "inventory:removal_applied": False}
    told = metadata(result, "inventory")
    assert (told["removed"], told["removed_share"], told["removals_held_back"]) == (1, 0.25, True)
    rows = crawled.lake.read("inventory", "pixiv").filter("removed").collect()
    assert rows["image_key"].to_list() == ["pixiv/103_p0"]
    assert crawled.lake.fresh("inventory", "pixiv")

    crawled.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=0.25))
    assert not crawled.lake.fresh("inventory", "pixiv")
    result = crawled.make("inventory", partition="pixiv")
    assert all(checks(result).values())
    assert not metadata(result, "inventory")["removals_held_back"]
    assert crawled.lake.info("inventory", "pixiv").rows == 3


def test_records_keep_what_they_cannot_read_with_its_reason(crawled: World):
    crawled.put("dataset-pixiv/resized_1/105_p0.json", b"{cut")
    result = crawled.make("inventory", "records", partition="pixiv")
    told = metadata(result, "records")
    assert (told["dagster/row_count"], told["rejects"]) == (5, 1)
    assert list(reasons(told["rejects_by_reason"]).values()) == [1]
    (reject,) = crawled.lake.read("rejects", "pixiv").collect().to_dicts()
    assert reject["place"].endswith("105_p0.json")
    assert checks(result)["records:few_rejects"] is False


def test_records_of_a_tar_are_read_from_it(crawled: World):
    crawled.make("inventory", "records", partition="danbooru")
    rows = crawled.lake.read("records", "danbooru").collect()
    assert rows["image_key"].to_list() == [f"danbooru/{n}" for n in DANBOORU]


def test_todo_says_who_may_be_scored_and_lists_what_is_left(crawled: World):
    result = crawled.make(*INTAKE, partition="pixiv")
    told = metadata(result, "todo")
    assert (told["eligible"], told["pending"], told["units"]) == (3, 3, 2)  # units of two images
    assert reasons(told["drops"]) == {"few_bookmarks_old": 1, "no_image": 1}
    rows = {
        row["image_key"]: row for row in crawled.lake.read("todo", "pixiv").collect().to_dicts()
    }
    assert rows[FEW_BOOKMARKS]["intake_drops"] == ["few_bookmarks_old"]
    assert (rows[NO_IMAGE]["has_image"], rows[NO_IMAGE]["has_record"]) == (False, True)
    left = unit_rows(read_units(crawled.lake.store, layout.todo_path("pixiv")))
    assert left is not None
    assert left["metrics"].to_list() == [sorted(crawled.lake.project.pass_metrics)] * 3


def test_what_is_scored_leaves_the_units(crawled: World):
    first = crawled.make(*INTAKE, partition="pixiv")
    crawled.score("pixiv")
    second = crawled.make("todo", partition="pixiv")
    assert (metadata(second, "todo")["pending"], metadata(second, "todo")["units"]) == (0, 0)
    assert read_units(crawled.lake.store, layout.todo_path("pixiv")) == {}
    assert data_version(first, "todo") == data_version(second, "todo")  # who is eligible


def test_a_row_to_retry_stays_in_the_units(crawled: World):
    crawled.make(*INTAKE, partition="pixiv")
    lost = {"status": "retry", "error": "read: timeout", "clip_embedding": None}
    crawled.score("pixiv", clip={"pixiv/101_p0": lost})
    result = crawled.make("todo", partition="pixiv")
    assert metadata(result, "todo")["pending"] == 1
    left = unit_rows(read_units(crawled.lake.store, layout.todo_path("pixiv")))
    assert left is not None and left.select("image_key", "metrics").rows() == [
        ("pixiv/101_p0", ["clip"])
    ]


def test_a_crawl_that_is_away_fails_with_its_place(crawled: World):
    crawled.make("inventory", partition="pixiv")
    crawled.bucket.rename(crawled.home / "elsewhere")
    result = crawled.make("inventory", partition="pixiv")
    assert not result.success
    name, message = cause(result)
    assert name == "ConnectionError" and str(crawled.bucket) in message
    assert crawled.lake.info("inventory", "pixiv").rows == 4  # what was known stands


def test_an_empty_crawl_makes_empty_tables(tmp_path):
    world = World.create(tmp_path)
    result = world.make(*INTAKE, partition="pixiv")
    assert result.success and all(checks(result).values())
    for asset in INTAKE:
        assert metadata(result, asset)["dagster/row_count"] == 0


def test_a_page_without_a_record_gets_that_of_its_post(crawled: World):
    crawled.put("dataset-pixiv/resized_1/100_p1.png", (crawled.bucket / PICTURE).read_bytes())
    crawled.make("inventory", "records", partition="pixiv")
    rows = crawled.lake.read("records", "pixiv").filter(pl.col("post_id") == "100").collect()
    assert rows["page"].to_list() == [0, 1] and rows["title"].to_list() == ["work 100"] * 2


def test_one_new_record_changes_one_row(crawled: World):
    crawled.make("inventory", "records", partition="pixiv")
    before = crawled.lake.read("records", "pixiv").collect()
    changed = json.dumps(pixiv_record(101, title="renamed")).encode()
    crawled.put("dataset-pixiv/resized_1/101_p0.json", changed)
    crawled.make("inventory", "records", partition="pixiv")
    after = crawled.lake.read("records", "pixiv").collect()
    assert after.join(before, on="image_key").filter(pl.col("title") != pl.col("title_right"))[
        "image_key"
    ].to_list() == ["pixiv/101_p0"]


def test_only_changed_record_files_are_parsed_and_the_tables_are_those_of_a_fresh_run(
    crawled: World, tmp_path: Path
):
    crawled.put("dataset-pixiv/resized_1/9_p0.json", b"{cut")
    told = metadata(crawled.make("inventory", "records", partition="pixiv"), "records")
    assert (told["files_parsed"], told["files_known"]) == (6, 0)
    crawled.put(
        "dataset-pixiv/resized_1/101_p0.json", json.dumps(pixiv_record(101)).encode() + b" "
    )
    crawled.add_pixiv(105, pixiv_record(105))
    told = metadata(crawled.make("inventory", "records", partition="pixiv"), "records")
    assert (told["files_parsed"], told["files_known"]) == (2, 5)

    fresh = World.create(tmp_path / "fresh")
    for path in crawled.bucket.rglob("*.*"):
        place = path.relative_to(crawled.bucket)
        fresh.put(str(place), path.read_bytes())
        times = path.stat()
        os.utime(fresh.bucket / place, ns=(times.st_atime_ns, times.st_mtime_ns))
    shutil.rmtree(crawled.bucket)
    fresh.bucket.rename(crawled.bucket)  # places are part of the rows
    fresh.change("profiles/local.yaml", lambda c: c["crawl"].update(root=str(crawled.bucket)))
    fresh.make("inventory", "records", partition="pixiv")
    for table in ("records", "rejects"):
        digests = [world.lake.info(table, "pixiv").digest for world in (crawled, fresh)]
        files = [
            [b.sha256 for b in world.lake.info(table, "pixiv").buckets]
            for world in (crawled, fresh)
        ]
        assert digests[0] == digests[1] and files[0] == files[1]


def test_other_limits_or_columns_parse_every_record_file_again(crawled: World):
    crawled.make("inventory", "records", partition="pixiv")
    folder = layout.parsed_folder("pixiv")
    before = crawled.lake.store.list(folder)["path"].to_list()
    crawled.change(
        "profiles/local.yaml", lambda conf: conf["crawl"]["records"].update(record_bytes=10_000)
    )
    told = metadata(crawled.make("records", partition="pixiv"), "records")
    assert told["files_known"] == 0
    after = crawled.lake.store.list(folder)["path"].to_list()
    assert len(before) == len(after) == 1 and before != after
