"""Whatever the tables before it say, a release lets nothing through that the rules forbid.

Each case forges tables, leaves out steps, or changes what they were made of, and then publishes a
release of every rating without asking a check.
"""

import json

import polars as pl
import pytest

from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.ledger import append_ledger
from dataproc_assets_tests.defs.asking import tamper
from dataproc_assets_tests.defs.posts import KEPT, NEVER, TWIN
from dataproc_assets_tests.defs.results import cause, metadata, reasons
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"
IDS = ("image_id", "representative", "members")


@pytest.fixture
def other(world: World) -> World:
    """A world whose release is not published yet, and asks for every rating."""
    world.ask_for_other()
    return world


def forge_sanitized(world: World, prompt: str = "1girl") -> None:
    """All is kept, for no reason not to, under an innocent prompt."""
    said = {
        "keep": pl.lit(True),
        "drop_reason": pl.lit(None, pl.String),
        "drop_reasons": pl.lit([], pl.List(pl.String)),
        "prompt": pl.lit(prompt),
        "caption": pl.lit(None, pl.String),
    }
    tamper(world.lake, "sanitized", RECIPE, lambda rows: rows.with_columns(**said))


def forge_images(world: World) -> None:
    """All images say what a harmless one says, the quarantined ones too."""

    def edit(rows: pl.DataFrame) -> pl.DataFrame:
        harmless = rows.filter(pl.col("representative") == KEPT[2]).drop(IDS)
        return rows.select(IDS).join(harmless, how="cross").select(rows.columns)

    tamper(world.lake, "images", None, edit)


def refused(world: World) -> str:
    """The message with which the release is refused; nothing of it can be seen."""
    result = world.make("release", partition="other")
    assert not result.success
    name, message = cause(result)
    assert name == "ForbiddenImageError"
    assert read_manifest(world.lake.store, "releases/other") is None
    return message


def released(world: World) -> set[str]:
    """The representatives that a release gives out."""
    assert world.make("release", partition="other").success
    return set(read_train(world.lake.store, "other")["representative"])


def test_an_honest_release_holds_what_was_kept(other: World):
    assert released(other) == {*KEPT}


def test_a_forged_verdict_does_not_bring_back_what_images_has_by_its_id_alone(other: World):
    """The row has no rating to be chosen by, so that the forger has to forge more."""
    forge_sanitized(other)
    keep = ~pl.col("image_id").is_in(_ids(other, "danbooru/3", "danbooru/5", "danbooru/6"))
    tamper(other.lake, "sanitized", RECIPE, lambda rows: rows.filter(keep))
    assert released(other) == {*KEPT}


def test_forged_images_and_a_forged_verdict_are_refused(other: World):
    forge_images(other)
    forge_sanitized(other)
    assert "4 of its rows" in refused(other)


def test_another_representative_does_not_hide_a_member(other: World):
    forge_images(other)
    forge_sanitized(other)
    for key in ("danbooru/3", NEVER, "danbooru/5", "danbooru/6"):
        hidden = pl.when(pl.col("representative") == key).then(pl.lit(KEPT[2]))
        shown = hidden.otherwise("representative").alias("representative")
        tamper(other.lake, "images", None, lambda rows, shown=shown: rows.with_columns(shown))
    assert "4 of its rows" in refused(other)


def test_an_image_of_which_no_record_is_left_is_refused(other: World):
    gone = pl.col("image_key") != KEPT[2]
    tamper(other.lake, "augmented", "danbooru", lambda rows: rows.filter(gone))
    assert _ids(other, KEPT[2])[0] in refused(other)


def test_words_in_a_forged_prompt_are_refused(other: World):
    keep = pl.col("image_id").is_in(_ids(other, *KEPT))
    forge_sanitized(other, "1girl, ＬＯＬＩ")
    tamper(other.lake, "sanitized", RECIPE, lambda rows: rows.filter(keep))
    assert "3 of its rows" in refused(other)


def test_words_in_a_forged_image_are_refused(other: World):
    tamper(
        other.lake,
        "images",
        None,
        lambda rows: rows.with_columns(
            title=pl.when("opt_out").then("title").otherwise(pl.lit("ロリ"))
        ),
    )
    assert "3 of its rows" in refused(other)


def test_prompts_of_a_time_before_the_record_changed_are_judged_anew(other: World):
    """`sanitized` is made alone, of stale images and prompts."""
    _say(other, KEPT[2], "tags_general", ["shota"])
    result = other.make("sanitized", partition=RECIPE)
    assert reasons(metadata(result, "sanitized")["drops"])["never_tag"] == 2
    assert released(other) == {*KEPT[:2]}


@pytest.mark.parametrize(
    ("field", "value"), [("tags_general", ["loli"]), ("status", "banned"), ("title", "ショタ")]
)
def test_a_record_that_changed_after_the_verdict_is_refused(other: World, field, value):
    _say(other, KEPT[2], field, value)
    assert _ids(other, KEPT[2])[0] in refused(other)


def test_a_twin_that_was_quarantined_after_the_verdict_is_refused(other: World):
    held = pl.DataFrame({"image_key": [TWIN[1]], "rule": ["never"]})
    append_ledger(other.lake.store, "quarantine", held)
    assert _ids(other, TWIN[0])[0] in refused(other)


def test_a_rule_that_came_after_the_verdict_is_obeyed(other: World):
    other.change("safety.yaml", lambda conf: conf["never_tags"].append("hatsune_miku"))
    assert "2 of its rows" in refused(other)


def test_a_recipe_cannot_add_words_to_its_prompts(other: World):
    """Words that no image says, in the place of the quality's: nothing of it can be kept."""
    path = f"recipes/{RECIPE}.yaml"

    def edit(conf: dict) -> None:
        conf["rating_words"] = dict.fromkeys(conf["rating_words"], "loli")

    other.change(path, edit)
    result = other.make("prompts", "sanitized", partition=RECIPE)
    drops = reasons(metadata(result, "sanitized")["drops"])
    assert drops["never_tag"] == other.lake.read("images").collect().height
    rows = other.lake.read("sanitized", RECIPE).collect()
    assert rows["prompt"].drop_nulls().is_empty() and "loli" not in json.dumps(rows.to_dicts())
    assert not other.make("release", partition="other").success


def _say(world: World, key: str, field: str, value: object) -> None:
    source = key.split("/")[0]
    name = f"{source}__{field}"

    def edit(rows: pl.DataFrame) -> pl.DataFrame:
        changed = rows.filter(pl.col("image_key") == key).with_columns(
            pl.lit(value, dtype=rows.schema[name]).alias(name)
        )
        return pl.concat([rows.filter(pl.col("image_key") != key), changed])

    tamper(world.lake, "augmented", source, edit)


def _ids(world: World, *keys: str) -> list[str]:
    images = world.lake.read("images").filter(pl.col("representative").is_in(keys))
    return images.select("image_id").collect()["image_id"].to_list()
