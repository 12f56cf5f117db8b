import json
from pathlib import Path

import polars as pl

from dataproc_assets.report import print_report
from dataproc_assets_tests.defs.asking import tamper
from dataproc_assets_tests.defs.posts import TWIN
from dataproc_assets_tests.defs.world import World


def _cells(capsys) -> list[list[str]]:
    """The cells of each row of the tables, and other lines as one cell."""
    lines = capsys.readouterr().out.splitlines()
    return [[cell.strip() for cell in line.strip("│┃ ").split("│")] for line in lines]


def test_the_tables_count_what_is_there(finished: World, capsys):
    print_report(finished.lake)
    rows = _cells(capsys)
    kept = {row[0]: row[-2:] for row in rows if len(row) == 4}
    assert kept["images"] == ["4 / 5", "10 / 11"]
    assert kept["records"] == ["5 / 5", "11 / 11"]
    assert kept["eligible"] == ["3 / 5", "9 / 11"]
    assert kept["scored"] == ["3 / 3", "9 / 9"]
    assert kept["prefiltered"] == ["2 / 3", "8 / 9"]
    assert kept["dedup"] == ["2 / 2", "7 / 8"]
    assert kept["sanitized animagine4"] == kept["release demo"] == ["2 / 2", "3 / 7"]
    assert ["prefiltered", "low_clip_score", "1"] in rows
    assert ["todo", "few_bookmarks_old", "1"] in rows
    assert ["dedup_cross", "duplicate", "1"] in rows
    assert ["sanitized animagine4", "never_tag", "1"] in rows


def test_duplicates_are_counted_each(world: World, capsys):
    role = pl.when(pl.col("role") == "dropped").then(pl.lit("duplicate")).otherwise("role")
    tamper(world.lake, "members", None, lambda rows: rows.with_columns(role=role), "dedup_cross")
    print_report(world.lake)
    assert ["dedup_cross", "duplicate", "4"] in _cells(capsys)


def test_the_release_and_what_to_open_next(finished: World, capsys):
    print_report(finished.lake)
    said = capsys.readouterr().out
    root = finished.lake.store.url
    assert f"release demo: 3 images in {root}/releases/demo/" in said
    assert "have changed since" not in said
    assert f"gallery: {root}/gallery/index.html" in said and "`dataproc gallery`" in said


def test_a_release_whose_inputs_changed_says_how_to_publish_them(world: World, capsys):
    world.change("safety.yaml", lambda conf: conf["banned_words"].append("solo"))
    world.make("sanitized", partition="animagine4")
    print_report(world.lake)
    said = " ".join(capsys.readouterr().out.split())
    assert "its inputs have changed since" in said
    assert "copy conf/releases/demo.yaml to a new name" in said


def test_duplicates_against_a_ground_truth(finished: World, capsys, tmp_path: Path):
    truth = tmp_path / "truth.yaml"
    same = {"groups": [{"members": [{"key": key} for key in TWIN]}]}
    truth.write_text(json.dumps({"classes": {"cross_posts": same, "variants": {"groups": []}}}))
    print_report(finished.lake, truth)
    rows = _cells(capsys)
    assert ["posted twice, found", "1"] in rows and ["posted twice, missed", "0"] in rows


def test_without_any_image_no_drop_is_counted(empty: World, capsys):
    print_report(empty.lake)
    rows = _cells(capsys)
    assert ["prefiltered", *["0 / 0"] * 3] in rows
    assert not [row for row in rows if row[0] == "dedup_cross"]
    assert ["release demo: not published"] in rows


def test_a_source_that_vanished_from_later_stages_is_a_dash(world: World, capsys):
    pixiv = pl.when(pl.col("source") == "pixiv").then(pl.lit("dropped")).otherwise("role")
    tamper(world.lake, "members", None, lambda rows: rows.with_columns(role=pixiv), "dedup_cross")
    kept = ~pl.col("representative").str.starts_with("pixiv/")
    tamper(world.lake, "images", None, lambda rows: rows.filter(kept))
    print_report(world.lake)
    rows = [cells for cells in _cells(capsys) if len(cells) == 4]
    dashes = [cells[0] for cells in rows if cells[2] == "–"]
    assert dashes == ["dedup", "sanitized animagine4", "release demo"]
