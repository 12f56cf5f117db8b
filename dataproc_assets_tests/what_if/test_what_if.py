import json
import re

import pytest

from dataproc_assets.storage.layout import gallery_path
from dataproc_assets.what_if.changes import changes
from dataproc_assets.what_if.engine import StaleTables, outcomes
from dataproc_assets.what_if.fates import IMAGE, fates
from dataproc_assets.what_if.page import draw
from dataproc_assets.what_if.text import lines
from dataproc_assets_tests.defs.posts import KEPT, LOW_SCORE, NEVER
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.stores import contents

LOWER = "prefiltered.clip_score=0.4"  # LOW_SCORE has 0.5
HIGHER = "prefiltered.clip_score=99"


def told(lake, *settings: str, pictures: bool = False):
    found = outcomes(lake, settings, lambda line: None, pictures=pictures)
    now = fates(lake)
    return [(outcome, changes(now, outcome.fates)) for outcome in found]


def moves(changed) -> set[tuple]:
    return {(row["fate"], row["fate_then"], *row["keys"]) for row in changed.moves.to_dicts()}


def test_a_lower_threshold_keeps_what_it_dropped_and_touches_nothing(finished):
    before = contents(finished.lake.store)
    ((outcome, changed),) = told(finished.lake, LOWER)
    assert moves(changed) == {("prefiltered low_clip_score", IMAGE, LOW_SCORE)}
    assert outcome.made[0] == "prefiltered" and outcome.made[-1] == "sanitized"
    kept = changed.counts.filter(changed.counts["where"] == "animagine4")
    row = next(row for row in kept.to_dicts() if row["fate"] == "kept")
    assert row["then"] == row["now"] + 1
    assert contents(finished.lake.store) == before


def test_a_threshold_that_nothing_reaches_drops_every_image(finished):
    ((_, changed),) = told(finished.lake, HIGHER)
    dropped = {key for row in changed.moves.to_dicts() for key in row["keys"]}
    assert set(KEPT) <= dropped
    assert changed.counts.filter(changed.counts["fate"] == IMAGE)["then"].to_list() == [0]


def test_what_is_told_is_what_a_run_with_that_setting_makes(finished, tmp_path):
    ((outcome, _),) = told(finished.lake, LOWER)
    world = finished.copy(tmp_path)
    world.change("curation.yaml", _lower)
    world.run()
    assert fates(world.lake).keys.equals(outcome.fates.keys)


def _lower(curation: dict) -> None:
    rule = next(r for r in curation["prefilter"] if r["name"] == "low_clip_score")
    rule["value"] = 0.4


def test_several_settings_are_told_alone_and_together(finished):
    found = told(finished.lake, LOWER, "prompts.animagine4.token_budget=8")
    assert [outcome.settings for outcome, _ in found] == [
        (LOWER,),
        ("prompts.animagine4.token_budget=8",),
        (LOWER, "prompts.animagine4.token_budget=8"),
    ]
    assert found[1][0].made == ["prompts", "sanitized"]
    assert found[1][1].prompts["animagine4"] > 0 and found[1][1].moves.is_empty()
    assert moves(found[2][1]) == moves(found[0][1])


def test_a_setting_that_changes_nothing_makes_nothing(finished):
    ((outcome, changed),) = told(finished.lake, "prefiltered.clip_score=1.2")
    assert outcome.made == [] and changed.moves.is_empty() and changed.prompts == {}
    assert "  no count changes" in list(lines(outcome, changed))


def test_the_lines_and_the_json_name_the_images(finished):
    ((outcome, changed),) = told(finished.lake, LOWER)
    assert any(LOW_SCORE in line for line in lines(outcome, changed))
    assert LOW_SCORE in json.dumps(changed.to_json(5))


def test_tables_older_than_the_configuration_are_refused(tmp_path):
    world = World.crawled(tmp_path / "world")
    with pytest.raises(StaleTables, match=r"prefiltered of danbooru.*`dataproc run` first"):
        told(world.lake, LOWER)


def test_the_page_shows_whom_it_changes_and_nothing_of_what_is_held(finished, tmp_path):
    lake = finished.copy(tmp_path).lake
    path = draw(lake, told(lake, LOWER, HIGHER, pictures=True))
    page = lake.store.get(path).decode()
    assert LOW_SCORE in page and "low_clip_score" in page
    assert "loli" not in page and NEVER not in page
    shown = set(re.findall(r'src="([^"]+)"', page))
    assert shown and all(lake.store.exists(f"{gallery_path()}/{picture}") for picture in shown)
