"""States of tables: of another root, of the past of a bucket, of takedowns and thresholds."""

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from dataproc_assets.cli import cli
from dataproc_assets.diff.states import UnknownTableState, find_state, is_table
from dataproc_assets.diff.table_page import draw_table
from dataproc_assets.diff.table_report import table_lines, table_values
from dataproc_assets.diff.tables import TableDifference, compare_tables
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.tables import ChangedFileError
from dataproc_assets.takedown.entries import to_entries
from dataproc_assets.takedown.spread import enter_all
from dataproc_assets_tests.defs.posts import LOW_SCORE, TWIN
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.diff.test_diff import lower
from dataproc_assets_tests.release.versioned import new_bucket
from dataproc_assets_tests.storage.lakes import project_in


@pytest.fixture
def changed(finished: World, tmp_path: Path) -> World:
    """The finished world with a lower threshold."""
    world = finished.copy(tmp_path)
    world.change("curation.yaml", lower)
    world.run()
    return world


@pytest.fixture
def past(s3, tmp_path: Path) -> Lake:
    """Two states of a table on a versioned bucket."""
    store = new_bucket(versioned=True)
    lake = Lake(project_in(store.url, tmp_path / "crawl"))
    for score in (1.0, 2.0):
        rows = pl.DataFrame({"image_key": ["pixiv/1", "pixiv/2"], "score": [score, 5.0]})
        lake.write("merged", "pixiv", rows, inputs={"records/pixiv": str(score)})
    return lake


def between(world: World, one: World, table: str) -> TableDifference:
    before = find_state(world.lake, f"{one.lake.store.url}#{table}")
    return compare_tables(world.lake, before, find_state(world.lake, table))


def test_a_threshold_is_told_by_what_it_moved(changed: World, finished: World):
    found = between(changed, finished, "prefiltered/pixiv")
    assert found.added.is_empty() and found.removed.is_empty()
    assert found.changed.rows() == [(LOW_SCORE, ["keep", "drop_reason", "drop_reasons"])]
    assert ("drop_reason", "low_clip_score", None, 1) in found.moves.rows()
    assert [name for name, *_ in found.made_of] == ["configuration"]
    text = "\n".join(table_lines(found))
    for part in (
        "  changed: 1",
        f"1 in keep, drop_reason, drop_reasons: {LOW_SCORE}",
        "drop_reason: 1 from low_clip_score to None",
        "made of configuration: ",
    ):
        assert part in text, text


def test_rows_come_with_new_data_and_go_with_a_takedown(finished: World, tmp_path: Path):
    world = finished.copy(tmp_path)
    enter_all(world.lake, to_entries([("key", TWIN[0], "2026-01-01", "asked")], only=False))
    world.run()
    found = between(world, finished, "members")
    assert found.removed.rows() == [(key, "takedown") for key in sorted(TWIN)]
    assert between(finished, world, "members").added["reason"].unique().to_list() == ["new data"]
    value = json.loads(json.dumps(table_values(found), default=str))
    assert value["removed"] == [{"image_key": key, "reason": "takedown"} for key in sorted(TWIN)]


def test_equal_states_differ_in_nothing(finished: World):
    for table in ("images", "merged/pixiv", "prompts/animagine4", "clusters", "dedup_cross"):
        found = between(finished, finished, table)
        assert (found.added.height, found.removed.height, found.changed.height) == (0, 0, 0), table
        assert found.made_of == []


def test_the_page_shows_whom_a_change_touches(changed: World, finished: World):
    path = draw_table(changed.lake, between(changed, finished, "prefiltered/pixiv"))
    page = changed.lake.store.get(path).decode()
    assert "changed in <bdi>keep, drop_reason, drop_reasons</bdi>" in page
    assert LOW_SCORE in page and "<td><bdi>low_clip_score</bdi></td>" in page
    images = draw_table(changed.lake, between(changed, finished, "images"))
    assert "added by <bdi>new data</bdi>" in changed.lake.store.get(images).decode()


def test_a_versioned_bucket_gives_past_states_back(past: Lake):
    now = find_state(past, "merged/pixiv")
    before = find_state(past, "merged/pixiv@previous")
    assert find_state(past, f"merged/pixiv@{before.info.digest[:8]}").info == before.info
    found = compare_tables(past, before, now)
    assert found.changed.rows() == [("pixiv/1", ["score"])]
    assert found.made_of[0] == ("records/pixiv", "1.0", "2.0")
    assert find_state(past, "merged/pixiv@2100-01-01").info == now.info
    with pytest.raises(
        UnknownTableState, match=r"no such state; the newest are \d{4}-.* [0-9a-f]{12}"
    ):
        find_state(past, "merged/pixiv@2000-01-01T00:00:00")


def test_a_file_that_is_not_as_it_was_written_is_refused(past: Lake):
    state = find_state(past, "merged/pixiv")
    past.store.put(f"{state.path}/{state.info.buckets[0].file}", b"other")
    with pytest.raises(ChangedFileError, match="this file of merged/pixiv is no longer as"):
        compare_tables(past, state, state)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("merged", "'merged' names no table; there are merged/danbooru, merged/pixiv"),
        ("merged/nowhere", "names no table"),
        ("images/pixiv", "names no table; there are images"),
        ("images@previous", "only a versioned bucket keeps them"),
        ("/nowhere#images", "there is no such table"),
    ],
)
def test_what_names_no_state_is_told_with_what_there_is(finished: World, asked, message):
    with pytest.raises(UnknownTableState, match=message):
        find_state(finished.lake, asked)


def test_the_command_tells_tables_from_releases(finished: World, monkeypatch):
    monkeypatch.setenv("DATAPROC_CONF", str(finished.conf))
    assert is_table(finished.lake, "images@x") and not is_table(finished.lake, "demo")
    done = CliRunner().invoke(cli, ["diff", "images", "images"])
    assert done.exit_code == 0 and "changed: 0" in done.output, done.output
    wrong = CliRunner().invoke(cli, ["diff", "images", "merged"])
    assert wrong.exit_code == 1 and "'merged' names no table" in wrong.output
    keys = CliRunner().invoke(cli, ["diff", "images", "members"])
    assert keys.exit_code == 1 and "different keys" in keys.output
