import io
import json
from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.takedowns import read_takedowns
from dataproc_assets.takedown.entries import to_entries
from dataproc_assets.takedown.spread import enter_all
from dataproc_assets_tests.defs.posts import (
    DANBOORU,
    KEPT,
    TWIN,
    danbooru_record,
    picture,
    pixiv_record,
)
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.takedown.search import find_all
from dataproc_assets_tests.takedown.twin import NEEDLES, PICTURE


@pytest.fixture
def world(finished: World, tmp_path: Path) -> World:
    return finished.copy(tmp_path / "copy")


@pytest.fixture
def own(tmp_path: Path) -> World:
    """A finished world with a crawl of its own, which may grow."""
    return World.finished(tmp_path)


def take(world: World, kind: str, value: str, *, only: bool = False) -> None:
    enter_all(world.lake, to_entries([(kind, value, "2026-01-01", "asked")], only))


def keys(world: World, table: str = "members") -> set[str]:
    return set(world.lake.read(table).collect()["image_key"])


def below(world: World, *folders: str, **needles: bytes) -> dict[str, set[str]]:
    found = find_all(world.lake.store, needles or NEEDLES, None if needles else PICTURE)
    return {path: hits for path, hits in found.items() if path.startswith(folders)}


def test_a_picture_leaves_everything_but_ledger_and_releases(world: World):
    before = below(world, "stages", "units", "gallery")
    assert set().union(*before.values()) >= {*NEEDLES, "picture"} - {"bytes"}
    take(world, "key", TWIN[1])
    world.run()
    assert below(world, "stages", "units", "gallery") == {}
    assert not keys(world) & set(TWIN) and keys(world) >= {*KEPT} - {*TWIN}
    assert world.run() == []


def test_an_artist_leaves_with_all_works_and_their_copies(world: World):
    take(world, "artist", "ada")
    world.run()
    assert not any(key.startswith("pixiv/") for key in keys(world))
    assert keys(world) == {f"danbooru/{number}" for number in DANBOORU if number != 1}
    for table in ("inventory", "records", "todo", "metrics_merged", "merged"):
        assert world.lake.read(table, "pixiv").collect().is_empty(), table


def test_where_one_post_alone_is_asked_for_another_member_stands_for_the_picture(tmp_path: Path):
    world = World.crawled(tmp_path)
    again = io.BytesIO()
    Image.open(io.BytesIO(PICTURE)).save(again, "PNG", compress_level=1)
    world.put_danbooru(DANBOORU, {1: again.getvalue()})
    world.run()
    images = world.lake.read("images").collect()
    (before,) = images.filter(pl.col("members").list.contains(TWIN[0]))["representative"]
    other = next(key for key in TWIN if key != before)
    take(world, "key", before, only=True)
    world.run()
    images = world.lake.read("images").collect()
    assert images.filter(pl.col("members").list.contains(before)).is_empty()
    assert images.filter(pl.col("representative") == other).height == 1
    file = PICTURE if before == TWIN[0] else again.getvalue()
    needles = {"key": f"{before}".encode(), "sha256": sha256(file).hexdigest().encode()}
    assert below(world, "stages", "units", "gallery", **needles) == {}
    (kept,) = read_ledger(world.lake.store, "print").to_dicts()
    assert kept["phash"] is None and kept["sha256"] == sha256(file).hexdigest()


def test_the_very_same_file_goes_also_where_copies_may_stay(world: World):
    take(world, "key", TWIN[0], only=True)
    world.run()
    assert not keys(world) & set(TWIN)


def test_a_later_crawl_brings_nothing_back(own: World):
    take(own, "key", TWIN[0])
    own.run()
    # the same work with a new file, and its copy on another page of the same platform
    own.add_pixiv(100, pixiv_record(100, title="again"))
    own.put("dataset-pixiv/resized_1/177_p0.png", PICTURE)
    own.put("dataset-pixiv/resized_1/177_p0.json", json.dumps(pixiv_record(177)).encode())
    own.put("dataset-pixiv/resized_1/178_p0.png", picture(178))
    own.put("dataset-pixiv/resized_1/178_p0.json", json.dumps(pixiv_record(178)).encode())
    for _ in range(3):  # the copy is known once it is scored, and goes with the next intake
        own.run()
    assert own.run() == []
    assert "pixiv/178_p0" in keys(own) and "pixiv/177_p0" not in keys(own)
    needles = {**NEEDLES, "new copy": b"177_p0"}
    found = find_all(own.lake.store, needles, PICTURE)
    assert {path.split("/")[0] for path in found} <= {"ledger", "releases"}
    derived = read_takedowns(own.lake.store).filter(pl.col("of") != "")
    assert {*derived["value"]} == {TWIN[1], "pixiv/177_p0"}
    assert derived.filter(pl.col("value") == "pixiv/177_p0")["reason"].to_list() == [
        "the same file"
    ]


def test_a_post_that_links_to_what_was_taken_down_is_not_read(own: World):
    take(own, "post", "pixiv/101")
    linking = danbooru_record(70007, source="https://www.pixiv.net/artworks/101", pixiv_id=101)
    own.put_danbooru({**DANBOORU, 70007: linking})
    for _ in range(2):
        own.run()
    assert "danbooru/70007" not in keys(own)
    assert "danbooru/70007" in read_takedowns(own.lake.store)["value"].to_list()
    assert below(own, "stages", "units", "gallery", key=b"70007") == {}


def test_an_entry_of_what_nobody_has_seen_waits_for_it(own: World):
    take(own, "post", "pixiv/900")
    take(own, "artist", "newcomer")
    assert own.run() != []
    own.add_pixiv(900, pixiv_record(900))
    own.add_pixiv(901, pixiv_record(901, user={"id": 9, "name": "Newcomer", "account": "n"}))
    for _ in range(2):
        own.run()
    assert not keys(own) & {"pixiv/900_p0", "pixiv/901_p0"}
    assert below(own, "stages", "units", "gallery", one=b"900_p0", two=b"901_p0") == {}


def test_what_is_taken_down_counts_as_no_removal(own: World):
    own.change("sources/pixiv.yaml", lambda conf: conf.update(removed_share_max=0.0))
    take(own, "artist", "ada")
    own.run()
    assert own.lake.read("inventory", "pixiv").collect().is_empty()
