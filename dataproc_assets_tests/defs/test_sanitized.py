import polars as pl

from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets_tests.defs.asking import tamper
from dataproc_assets_tests.defs.posts import AI, BANNED_WORD, KEPT, NEVER, OPT_OUT
from dataproc_assets_tests.defs.results import checks, metadata, reasons
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"


def test_each_unsafe_image_is_dropped_for_its_own_reason(world: World):
    result = world.make("sanitized", partition=RECIPE)
    told = metadata(result, "sanitized")
    assert reasons(told["drops"]) == {"ai": 1, "banned_word": 1, "never_tag": 1, "opt_out": 1}
    assert (told["quarantined"], told["newly_quarantined"]) == (1, 0)
    assert all(checks(result).values()) and len(checks(result)) == 7
    assert _reasons(world) == {
        **dict.fromkeys(KEPT),
        AI: "ai",
        NEVER: "never_tag",
        OPT_OUT: "opt_out",
        BANNED_WORD: "banned_word",
    }
    assert read_ledger(world.lake.store, "quarantine")["image_key"].to_list() == [NEVER]


def test_what_was_quarantined_once_stays_out_whatever_its_records_say_now(world: World):
    keep_out = pl.col("danbooru__tags_general").list.set_difference(["loli"])
    tamper(world.lake, "augmented", "danbooru", lambda rows: rows.with_columns(keep_out))
    result = world.make("dedup_cross", "images")
    assert result.success
    result = world.make("prompts", "sanitized", partition=RECIPE)
    assert result.success
    assert reasons(metadata(result, "sanitized")["drops"])["never_tag"] == 1


def test_a_quarantined_row_is_kept_by_its_ids_alone_even_if_prompts_tells_more(world: World):
    """The prompts of a time before the quarantine: of the other rows nothing is lost."""
    written = {"prompt": pl.lit("1girl"), "caption": pl.lit("a girl")}
    tamper(world.lake, "prompts", RECIPE, lambda rows: rows.with_columns(**written))
    assert world.make("sanitized", partition=RECIPE).success
    rows = world.lake.read("sanitized", RECIPE).collect()
    held = rows.filter(pl.col("drop_reason") == "never_tag")
    (row,) = held.drop("image_id", "variant", "keep", "drop_reason", "drop_reasons").to_dicts()
    assert held.height == 1 and not any(row.values())
    assert rows.filter(pl.col("prompt") == "1girl").height == rows.height - 1


def test_the_table_is_the_same_in_any_number_of_buckets(world: World, monkeypatch):
    whole = world.lake.read("sanitized", RECIPE).collect().sort("image_id", "variant")
    world.change("profiles/local.yaml", lambda conf: conf["storage"].update(table_buckets=4))
    monkeypatch.setattr("dataproc_assets.storage.spill.PART_ROWS", 2)
    tamper(world.lake, "images", None, lambda rows: rows)
    assert world.make("sanitized", partition=RECIPE).success  # prompts are in one bucket yet
    info = world.lake.info("sanitized", RECIPE)
    assert info is not None and len(info.buckets) == 4
    found = world.lake.read("sanitized", RECIPE).collect().sort("image_id", "variant")
    assert found.equals(whole)


def test_a_world_without_images_has_nothing_to_release(empty: World):
    assert empty.lake.read("sanitized", RECIPE).collect().is_empty()


def _reasons(world: World) -> dict[str, str | None]:
    images = world.lake.read("images").select("image_id", "representative")
    rows = world.lake.read("sanitized", RECIPE).join(images, on="image_id")
    return dict(rows.select("representative", "drop_reason").collect().iter_rows())
