"""Releases of the small world that differ in one thing each."""

import json
import re

import polars as pl
import pytest

from dataproc_assets.diff.page import draw
from dataproc_assets.diff.reasons import reasons
from dataproc_assets.diff.releases import Difference, compare
from dataproc_assets.diff.report import lines, values
from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.release.rows import read_tables
from dataproc_assets.storage.layout import gallery_path, release_path
from dataproc_assets_tests.defs.posts import LOW_SCORE, NEVER, pixiv_record
from dataproc_assets_tests.defs.world import World


def second_release(world: World, **changes) -> None:
    """The configuration of a release `second`, beside `demo`."""
    world.change("releases/demo.yaml", lambda conf: conf)  # forget what was loaded
    text = (world.conf / "releases/demo.yaml").read_text(encoding="utf-8")
    path = world.conf / "releases/second.yaml"
    path.write_text(re.sub("^name: demo", "name: second", text, flags=re.MULTILINE), "utf-8")
    world.change("releases/second.yaml", lambda conf: conf.update(changes))


def lower(curation: dict) -> None:
    rule = next(r for r in curation["prefilter"] if r["name"] == "low_clip_score")
    rule["value"] = 0.4  # LOW_SCORE has 0.5


def difference(world: World) -> tuple[Difference, dict[str, list[str]]]:
    store = world.lake.store
    one, other = (read_manifest(store, release_path(name)) for name in ("demo", "second"))
    assert one is not None and other is not None
    found = compare(store, one, other)
    return found, reasons(world.lake, found, lambda line: None)


def by_key(rows: pl.DataFrame, by: dict[str, list[str]]) -> dict[str, list[str]]:
    return {row["representative"]: by[row["image_id"]] for row in rows.to_dicts()}


@pytest.fixture
def lowered(finished: World, tmp_path) -> World:
    world = finished.copy(tmp_path)
    world.change("curation.yaml", lower)
    second_release(world)
    world.run()
    return world


def test_a_changed_threshold_names_exactly_the_images_and_itself(lowered: World):
    found, by = difference(lowered)
    path = ("settings", "curation", "prefilter", "low_clip_score", "value")
    assert found.settings == [(path, 1.2, 0.4)]
    named = "curation.prefilter.low_clip_score.value 1.2 -> 0.4"
    assert by_key(found.added, by) == {LOW_SCORE: [named]}
    assert found.removed.is_empty()
    told = "\n".join(lines(found, by))
    assert f"1 by {named}: {LOW_SCORE}" in told
    assert json.loads(json.dumps(values(found, by)))["added"][0]["representative"] == LOW_SCORE


def test_a_condition_of_the_release_is_a_setting_too(finished: World, tmp_path):
    world = finished.copy(tmp_path)
    second_release(world)
    world.change("releases/second.yaml", lambda conf: conf["select"].update(year_min=2020))
    world.run()
    found, by = difference(world)
    rows = read_tables(world.lake.store, found.one)
    assert set(by_key(found.removed, by)) == set(
        rows.filter(pl.col("year") < 2020)["representative"]
    )
    assert {*map(tuple, by.values())} == {("select.year_min none -> 2020",)}
    shifted = {(row["field"], row["value"]): row["shift"] for row in found.balance.to_dicts()}
    assert shifted[("source", "danbooru")] > 0 > shifted[("source", "pixiv")]


def test_a_new_picture_is_new_data(tmp_path):
    world = World.finished(tmp_path / "world")
    world.add_pixiv(190, pixiv_record(190))
    second_release(world)
    world.run()
    found, by = difference(world)
    assert by_key(found.added, by) == {"pixiv/190_p0": ["new data"]}
    assert found.settings == []


def test_another_word_of_a_recipe_changes_prompts_by_the_recipe_alone(finished: World, tmp_path):
    world = finished.copy(tmp_path)
    world.change("recipes/animagine4.yaml", lambda conf: conf.update(separator="; "))
    second_release(world)
    world.run()
    found, by = difference(world)
    assert found.added.is_empty() and found.removed.is_empty() and by == {}
    assert found.changed["recipes"].explode().unique().to_list() == ["animagine4"]
    assert found.changed["parts"].list.len().max() == 0
    assert any("by the recipe alone" in line for line in lines(found, by))


def test_a_release_does_not_differ_from_itself(finished: World):
    store = finished.lake.store
    one = read_manifest(store, release_path("demo"))
    assert one is not None
    found = compare(store, one, one)
    assert found.settings == [] and found.balance.is_empty()
    assert found.added.is_empty() and found.removed.is_empty() and found.changed.is_empty()


def test_the_page_shows_whom_it_touches_and_nothing_of_what_is_held(lowered: World):
    found, by = difference(lowered)
    page = lowered.lake.store.get(draw(lowered.lake, found, by)).decode()
    assert LOW_SCORE in page and "low_clip_score.value" in page and NEVER not in page
    for picture in re.findall(r'src="([^"]+)"', page):
        assert lowered.lake.store.exists(f"{gallery_path()}/{picture}")
