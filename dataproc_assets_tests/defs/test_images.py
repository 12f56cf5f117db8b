import polars as pl

from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets_tests.defs.asking import tamper
from dataproc_assets_tests.defs.posts import KEPT, NEVER, TWIN
from dataproc_assets_tests.defs.results import checks, data_version, metadata, reasons
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"


def test_the_twins_of_two_sources_are_one_image(world: World):
    result = world.make("dedup_cross")
    told = metadata(result, "dedup_cross")
    assert reasons(told["edges"]) == {"duplicate": 1}
    assert reasons(told["roles"]) == {"representative": 7, "dropped": 3, "duplicate": 1}
    assert told["certificate"]["recall"] == 1.0 and told["certificate"]["scored"] == 9
    members = {row["image_key"]: row for row in world.lake.read("members").collect().to_dicts()}
    first, second = (members[key] for key in TWIN)
    assert first["image_id"] == second["image_id"]
    assert (first["role"], second["role"]) == ("representative", "duplicate")
    assert second["drop_reason"].startswith(f"duplicate of {TWIN[0]}: cosine_phash")
    assert checks(result) == {"dedup_cross:exact": True, "dedup_cross:drops_have_an_edge": True}


def test_the_members_are_part_of_the_data_version(world: World):
    before = world.lake.state("dedup_cross", None)
    tamper(world.lake, "members", None, lambda rows: rows.head(-1), stage="dedup_cross")
    assert world.lake.state("dedup_cross", None) != before


def test_a_release_notes_the_founding_key_of_each_of_its_images(world: World):
    ledger = read_ledger(world.lake.store, "identity").select("founding_key", "image_id")
    members = world.lake.read("members").collect()
    ids = dict(members.select("image_key", "image_id").iter_rows())
    founders = {KEPT[0]: min(TWIN), KEPT[1]: KEPT[1], KEPT[2]: KEPT[2]}
    assert dict(ledger.iter_rows()) == {founders[key]: ids[key] for key in KEPT}


def test_a_second_release_of_an_image_binds_nothing_again(world: World):
    before = read_ledger(world.lake.store, "identity")
    demo = (world.conf / "releases" / "demo.yaml").read_text()
    (world.conf / "releases" / "second.yaml").write_text(demo.replace("demo", "second"))
    world.change("releases/second.yaml", lambda conf: None)
    assert world.make("release", partition="second").success
    assert read_ledger(world.lake.store, "identity").equals(before)
    assert world.make("dedup_cross").success


def test_a_smaller_key_that_joins_a_released_image_binds_nothing_new(world: World):
    before = read_ledger(world.lake.store, "identity")
    members = world.lake.read("members").collect()
    images = world.lake.read("images").collect()
    (kept,) = members.filter(pl.col("image_key") == KEPT[1]).to_dicts()
    joined = {**kept, "image_key": "danbooru/0", "role": "duplicate", "keep": False}
    wider = pl.concat([members, pl.DataFrame([joined], schema=members.schema)])
    world.lake.write("dedup_cross", None, wider, table="members", inputs={})
    named = pl.col("image_id") == kept["image_id"]
    more = pl.when(named).then(pl.lit(["danbooru/0", KEPT[1]])).otherwise("members")
    world.lake.write("images", None, images.with_columns(members=more), key="image_id", inputs={})
    demo = (world.conf / "releases" / "demo.yaml").read_text()
    (world.conf / "releases" / "second.yaml").write_text(demo.replace("demo", "second"))
    world.change("releases/second.yaml", lambda conf: None)
    assert world.make("release", partition="second").success
    assert read_ledger(world.lake.store, "identity").equals(before)


def test_images_merge_what_both_sources_say(world: World):
    result = world.make("images")
    told = metadata(result, "images")
    assert reasons(told["sources_an_image"]) == {"0": 1, "1": 5, "2": 1}  # one is known by its id
    won = {tuple(one.data.values())[:2]: one.data["images"] for one in told["values_won"].records}
    assert won[("title", "pixiv")] == 2 and won[("opt_out", "danbooru")] == 5
    assert {"rating": 0, "artist": 1}.items() <= reasons(told["disagreements"]).items()
    assert reasons(told["tags"])["kept"] > 7
    row = world.lake.read("images").filter(pl.col("representative") == TWIN[0]).collect()
    (image,) = row.to_dicts()
    assert image["sources"] == ["danbooru", "pixiv"] and image["members"] == sorted(TWIN)
    tags = {
        tag["tag"]: {one["source"]: one["said"] for one in tag["sources"]} for tag in image["tags"]
    }
    assert tags["1girl"] == {"danbooru": None, "pixiv": None} and tags["smile"] == {"tagger": None}
    assert tags["scenery"] == {"pixiv": "風景"}
    assert image["title"] == "work 100" and image["title__source"] == "pixiv"


def test_of_a_quarantined_image_the_table_has_the_ids_alone(world: World):
    (image,) = world.lake.read("images").filter("quarantined").collect().to_dicts()
    assert (image.pop("representative"), image.pop("members")) == (NEVER, [NEVER])
    assert image.pop("image_id") and image.pop("quarantined")
    assert not any(image.values())


def test_equal_remakes_have_equal_data_versions(world: World):
    for asset, partition in (("dedup_cross", None), ("images", None), ("prompts", RECIPE)):
        before = world.lake.state(asset, partition)
        assert data_version(world.make(asset, partition=partition), asset) == before
