import polars as pl
import pytest

from dataproc_assets.defs.checks.sanitized import SANITIZED
from dataproc_assets.storage.ledger import append_ledger
from dataproc_assets_tests.defs.asking import ask, failed, figures, tamper
from dataproc_assets_tests.defs.posts import AI, BANNED_WORD, KEPT, NEVER, OPT_OUT, TWIN
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"
BLOCKING = {"safety", "ai", "opt_out", "status", "banned_words"}


def test_all_pass_on_what_was_made(finished: World):
    results = _ask(finished)
    assert failed(results) == []
    assert {check.name for check in SANITIZED if check.blocking} == BLOCKING
    assert figures(results["safety"]) == {"found": 0, "image_ids": []}


@pytest.mark.parametrize(
    ("key", "check"),
    [(NEVER, "safety"), (AI, "ai"), (OPT_OUT, "opt_out"), (BANNED_WORD, "banned_words")],
)
def test_an_unsafe_row_that_was_kept_blocks(world: World, key: str, check: str):
    image = _image_id(world, key)
    kept = pl.col("keep") | (pl.col("image_id") == image)
    tamper(world.lake, "sanitized", RECIPE, lambda rows: rows.with_columns(keep=kept))
    results = _ask(world)
    assert failed(results) == [check]
    assert results[check].severity.value == "ERROR"
    assert figures(results[check]) == {"found": 1, "image_ids": [image]}


@pytest.mark.parametrize(
    ("values", "check"),
    [
        ({"tags_general": ["loli"]}, "safety"),
        ({"status": "banned"}, "status"),
        ({"status": "deleted"}, "status"),
        ({"tags_general": ["banned_artist"]}, "opt_out"),
        ({"tags_general": ["text-only_page"]}, "banned_words"),
        ({"title": "a ForbiddenWord"}, "banned_words"),
        ({"ai": "yes"}, "ai"),
    ],
)
def test_what_a_record_says_since_then_blocks(world: World, values: dict, check: str):
    _say(world, KEPT[2], **values)
    results = _ask(world)
    assert failed(results) == [check]
    assert figures(results[check])["image_ids"] == [_image_id(world, KEPT[2])]


def test_a_deleted_post_passes_as_long_as_its_twin_is_active(world: World):
    _say(world, TWIN[1], status="deleted")
    assert failed(_ask(world)) == []


def test_what_the_quarantine_was_told_of_since_then_blocks(world: World):
    held = pl.DataFrame({"image_key": [TWIN[1]], "rule": ["never"]})
    append_ledger(world.lake.store, "quarantine", held)
    results = _ask(world)
    assert failed(results) == ["safety"]
    assert figures(results["safety"])["image_ids"] == [_image_id(world, TWIN[0])]


def test_an_image_of_which_nothing_is_known_blocks(world: World):
    gone = pl.col("image_key") != KEPT[2]
    tamper(world.lake, "augmented", "danbooru", lambda rows: rows.filter(gone))
    assert failed(_ask(world)) == ["safety"]


@pytest.mark.parametrize(("word", "check"), [("loli", "safety"), ("forbiddenword", "banned_words")])
def test_a_word_in_a_kept_prompt_blocks_whatever_its_reasons_say(world: World, word, check):
    prompt = {"prompt": pl.col("prompt") + f", {word}"}
    tamper(world.lake, "sanitized", RECIPE, lambda rows: rows.with_columns(**prompt))
    results = _ask(world)
    assert failed(results) == [check] and figures(results[check])["found"] == 3


def test_one_sided_images_are_told_with_their_shares_and_block_nothing(world: World):
    def edit(conf: dict) -> None:
        share_max = conf["balance"]["share_max"] | {"source": 0.5, "artist": 0.7}
        conf["balance"] |= {"images_min": 3, "share_max": share_max}

    world.change("safety.yaml", edit)
    results = _ask(world)
    assert failed(results) == ["balance"]
    assert results["balance"].severity.value == "WARN"
    told = figures(results["balance"])
    table = [list(record.data.values()) for record in told["largest"].records]
    assert told["images"] == 3 and told["over"] == len([row for row in table if row[-1]]) > 0
    (source,) = [row for row in table if row[1] == "pixiv"]
    assert source == ["source", "pixiv", 2, pytest.approx(2 / 3), True]


def test_of_few_images_no_share_is_too_large(world: World):
    def edit(conf: dict) -> None:
        conf["balance"]["share_max"] = dict.fromkeys(conf["balance"]["share_max"], 0.01)
        conf["balance"]["images_min"] = 4

    world.change("safety.yaml", edit)
    assert failed(_ask(world)) == []


def test_many_watermarks_are_told_and_block_nothing(world: World):
    _say(world, KEPT[2], tags_meta=["watermark"])
    world.change("safety.yaml", lambda conf: conf["balance"].update(images_min=3))
    results = _ask(world)
    assert "poor_content" in failed(results)
    assert results["poor_content"].severity.value == "WARN"
    assert figures(results["poor_content"]) == {
        "images": 3,
        "found": 1,
        "share": pytest.approx(1 / 3),
        "image_ids": [_image_id(world, KEPT[2])],
    }


def test_without_an_image_all_pass(empty: World):
    assert failed(ask(SANITIZED, empty.lake, "sanitized", RECIPE)) == []


def test_no_check_tells_a_word_of_what_it_found(world: World):
    _say(world, KEPT[2], title="a loli", tags_general=["loli"])
    for result in _ask(world).values():
        assert "loli" not in str(figures(result))


def _ask(world: World):
    return ask(SANITIZED, world.lake, "sanitized", RECIPE)


def _say(world: World, key: str, **values: object) -> None:
    """Let a record say something else than it did when everything was made."""
    source = key.split("/")[0]

    def edit(rows: pl.DataFrame) -> pl.DataFrame:
        said = {f"{source}__{name}": value for name, value in values.items()}
        changed = rows.filter(pl.col("image_key") == key).with_columns(
            pl.lit(value, dtype=rows.schema[name]).alias(name) for name, value in said.items()
        )
        return pl.concat([rows.filter(pl.col("image_key") != key), changed])

    tamper(world.lake, "augmented", source, edit)


def _image_id(world: World, key: str) -> str:
    images = world.lake.read("images").filter(pl.col("representative") == key)
    return images.select("image_id").collect().item()
