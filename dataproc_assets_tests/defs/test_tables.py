import polars as pl

from dataproc_assets.defs.tables import all_rows, captions, dedup_everything, details
from dataproc_assets.storage import layout
from dataproc_assets_tests.defs.posts import FEW_BOOKMARKS
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.models.made import coca_captioner


def test_all_rows_have_plain_names_and_their_source(finished: World):
    rows = all_rows(finished.lake).collect()
    assert rows["source"].value_counts().sort("source").rows() == [("danbooru", 6), ("pixiv", 5)]
    assert not [name for name in rows.columns if "__" in name]
    assert {"title", "clip_score", "keep", "tier"} <= set(rows.columns)


def test_details_are_those_of_the_present_version(world: World):
    asked = pl.Series(["pixiv/100_p0", "pixiv/101_p0", FEW_BOOKMARKS, "danbooru/2"])
    rows = details(world.lake, "pixiv", asked)
    assert rows["image_key"].to_list() == ["pixiv/100_p0", "pixiv/101_p0"]
    assert rows["detail"].null_count() == 0
    changed = pl.when(pl.col("image_key") == "pixiv/101_p0").then(pl.lit("other"))
    inventory = world.lake.read("inventory", "pixiv").collect()
    version = changed.otherwise("version").alias("version")
    world.lake.write("inventory", "pixiv", inventory.with_columns(version))
    assert details(world.lake, "pixiv", asked)["image_key"].to_list() == ["pixiv/100_p0"]


def test_a_part_without_its_done_mark_is_not_read(world: World):
    for part in world.lake.parts.paths("pixels", "pixiv"):
        world.lake.store.delete(layout.done_path(part))
    assert details(world.lake, "pixiv", pl.Series(["pixiv/100_p0"])).is_empty()


def test_items_are_all_rows_in_key_order_scored_or_not(finished: World):
    items = dedup_everything(finished.lake)
    assert items.height == 11 and items["image_key"].is_sorted()
    unscored = items.filter(pl.col("phash").is_null())["image_key"].to_list()
    assert unscored == [FEW_BOOKMARKS, "pixiv/104_p0"]
    assert dict(items.select("source", "trust").unique().iter_rows()) == {
        "danbooru": 0.85,
        "pixiv": 0.95,
    }


def test_captions_without_a_text_are_left_out(world: World):
    assert captions(world.lake).collect().height == 7
    rows = world.lake.read("caption").collect()
    world.lake.write("caption", None, rows.with_columns(caption_text=pl.lit(None, pl.String)))
    assert captions(world.lake).collect().is_empty()


def test_captions_are_those_of_a_captioner_of_any_kind(world: World, tmp_path):
    values = coca_captioner(tmp_path).model_dump(mode="json")
    values["encoder"]["weights"].pop("place")
    values["encoder"]["architecture"].pop("place")
    on = "representatives"
    world.change("metrics/caption.yaml", lambda conf: (conf.clear(), conf.update(values, on=on)))
    assert world.lake.project.metrics["caption"].kind == "coca_captioner"
    assert captions(world.lake).collect().height == 7
