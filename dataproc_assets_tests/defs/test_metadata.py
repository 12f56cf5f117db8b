import polars as pl

from dataproc_assets_tests.defs.posts import FEW_BOOKMARKS, NO_IMAGE
from dataproc_assets_tests.defs.results import data_version, metadata
from dataproc_assets_tests.defs.world import World


def test_every_known_key_has_a_row_in_its_sources_namespace(finished: World):
    rows = finished.lake.read("merged", "pixiv").collect()
    keys = [f"pixiv/{n}_p0" for n in (100, 101, 102, 103, 104)]
    assert rows["image_key"].to_list() == keys
    by_key = {row["image_key"]: row for row in rows.to_dicts()}
    assert by_key[FEW_BOOKMARKS]["intake_drop"] == "few_bookmarks_old"
    assert by_key[NO_IMAGE]["has_image"] is False
    assert by_key["pixiv/100_p0"]["pixiv__title"] == "work 100"
    assert by_key["pixiv/100_p0"]["pixiv__clip_score"] == 1.5


def test_a_tag_that_says_ai_outranks_the_records_flag(finished: World):
    rows = finished.lake.read("merged", "danbooru").filter(pl.col("image_key") == "danbooru/3")
    assert rows.select("danbooru__ai").collect().item() == "yes"


def test_a_remake_has_the_same_data_version(world: World):
    first = world.make("merged", partition="pixiv")
    assert metadata(first, "merged")["dagster/row_count"] == 5
    assert data_version(first, "merged") == data_version(
        world.make("merged", partition="pixiv"), "merged"
    )
    world.change("sources/danbooru.yaml", lambda conf: conf.update(ai_tags=["solo"]))
    before = world.lake.state("merged", "danbooru")
    after = world.make("merged", partition="danbooru")
    assert data_version(after, "merged") != before
