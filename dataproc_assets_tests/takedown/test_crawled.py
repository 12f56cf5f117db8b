import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dataproc_assets.cli import cli
from dataproc_assets.takedown.crawled import STILL, crawl_lines, still_crawled
from dataproc_assets.takedown.entries import to_entries
from dataproc_assets.takedown.spread import enter_all
from dataproc_assets_tests.defs.posts import PIXIV, TWIN
from dataproc_assets_tests.defs.world import World

DUMP = "dataset-pixiv/resized_1/dump.jsonl"


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A crawl with a picture in a folder and its copy in a tar, and a dump with its record too."""
    world = World.crawled(tmp_path)
    world.change("sources/pixiv.yaml", lambda conf: conf["crawl"]["records"].append("*/*.jsonl"))
    lines = [json.dumps(record) for record in PIXIV.values()]
    world.put(DUMP, "\n".join(lines).encode())
    world.run()
    return world


def told(world: World) -> list[tuple[str, str, str]]:
    rows = still_crawled(world.lake, lambda line: None)
    place = rows["place"].str.strip_prefix(f"{world.bucket}/")
    return list(zip(rows["image_key"], rows["kind"], place, strict=True))


def test_the_crawl_is_searched_for_what_was_taken_down(world: World):
    assert told(world) == []
    enter_all(world.lake, to_entries([("key", TWIN[0], "2026-01-02", "")], only=False))
    world.run()  # what the lake knows of shards and records forgets them
    line = 1 + list(PIXIV).index(100)
    tar, folder = "unidataset-danbooru/0000.tar", "dataset-pixiv/resized_1"
    found = [
        (TWIN[0], "file", f"{folder}/100_p0.json"),
        (TWIN[0], "file", f"{folder}/100_p0.png"),
        (TWIN[0], "row", f"{DUMP}:{line}"),
        (TWIN[1], "member", f"{tar}:1.json"),
        (TWIN[1], "member", f"{tar}:1.png"),
    ]
    assert told(world) == found
    rows = still_crawled(world.lake, lambda line: None)
    member = rows.filter(kind="member", place=f"{world.bucket}/{tar}:1.png").row(0, named=True)
    start, end = member["offset"], member["offset"] + member["length"]
    png = (world.bucket / folder / "100_p0.png").read_bytes()
    assert (world.bucket / tar).read_bytes()[start:end] == png
    assert [line.replace(f"{world.bucket}/", "") for line in crawl_lines(rows)] == [
        f"{DUMP} has 1 rows of them: {line}",
        f"{tar} has 2 members of them: 1.json, 1.png",
        "2 files, and 3 parts of 2 others: 2 images",
    ]

    for name in ("100_p0.json", "100_p0.png"):
        (world.bucket / folder / name).unlink()
    assert told(world) == found[2:]
    (world.bucket / tar).unlink()
    (world.bucket / DUMP).unlink()
    assert told(world) == []


def test_nothing_is_told_in_a_line():
    assert list(crawl_lines(STILL.to_frame())) == ["no crawl has anything of what is taken down"]


def test_whole_files_alone_are_printed_for_other_programs(world: World, monkeypatch):
    monkeypatch.setenv("DATAPROC_CONF", str(world.conf))
    enter_all(world.lake, to_entries([("key", TWIN[0], "2026-01-02", "")], only=False))
    done = CliRunner().invoke(cli, ["takedown", "crawl"])
    assert done.exit_code == 0, done.output
    files = sorted(world.bucket.rglob("100_p0.*"))
    assert done.stdout.splitlines() == [str(file) for file in files]
    assert "2 files, and 3 parts of 2 others: 2 images" in done.stderr
    rows = json.loads(CliRunner().invoke(cli, ["takedown", "crawl", "--json"]).stdout)
    assert len(rows) == 5 and set(rows[0]) == set(STILL)


def test_a_crawl_that_cannot_be_read_is_named(world: World, monkeypatch):
    monkeypatch.setenv("DATAPROC_CONF", str(world.conf))
    enter_all(world.lake, to_entries([("key", TWIN[0], "2026-01-02", "")], only=False))
    shutil.rmtree(world.bucket)
    done = CliRunner().invoke(cli, ["takedown", "crawl"])
    assert done.exit_code == 1 and done.stdout == ""
    assert f"Error: {world.bucket}: there is no such folder" in done.stderr
