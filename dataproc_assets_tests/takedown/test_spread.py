from hashlib import md5, sha256
from pathlib import Path

import polars as pl
import pytest

from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets.storage.takedowns import read_takedowns, with_ids
from dataproc_assets.takedown.entries import to_entries
from dataproc_assets.takedown.spread import enter_all, meant
from dataproc_assets_tests.defs.posts import TWIN, picture
from dataproc_assets_tests.defs.world import World

PICTURE = picture(100)


def entries(kind: str, value: str, only: bool = False):
    return to_entries([(kind, value, "2026-01-01", "asked")], only)


@pytest.mark.parametrize(
    ("kind", "value", "named"),
    [
        ("key", TWIN[0], {TWIN[0]}),
        ("key", TWIN[1], {TWIN[1]}),
        ("post", "pixiv/100", {TWIN[0]}),
        ("url", "https://www.pixiv.net/artworks/100", {TWIN[0]}),
        ("url", "https://danbooru.donmai.us/posts/1?q=x", {TWIN[1]}),
        ("hash", sha256(PICTURE).hexdigest(), {*TWIN}),
        ("hash", md5(PICTURE).hexdigest(), {*TWIN}),
    ],
)
def test_an_entry_means_what_it_names_and_its_copies(finished: World, kind, value, named):
    found = meant(finished.lake, with_ids(entries(kind, value)))
    assert set(found.images["image_key"]) == {*TWIN}
    said = found.images.filter(found.images["why"] != "a copy")
    assert set(said["image_key"]) == named
    assert set(found.prints["sha256"]) == {sha256(PICTURE).hexdigest()}
    assert found.prints.null_count().sum_horizontal().item() == 0


def test_an_id_means_its_image(finished: World):
    images = finished.lake.read("images").collect()
    (row,) = images.filter(pl.col("members").list.contains(TWIN[0])).to_dicts()
    found = meant(finished.lake, with_ids(entries("hash", row["image_id"]))).images
    assert set(found["image_key"]) == {*TWIN}
    assert "the image of that id" in found["why"].to_list()


def test_an_artist_means_all_works_and_what_is_not_known_means_nothing(finished: World):
    works = meant(finished.lake, with_ids(entries("artist", "Ada"))).images["image_key"]
    assert {key for key in works if key.startswith("pixiv/")} == {
        *(f"pixiv/{number}_p0" for number in (100, 101, 102, 103, 104)),
    }
    for kind, value in (("artist", "nobody"), ("key", "pixiv/5_p0"), ("hash", "0" * 64)):
        found = meant(finished.lake, with_ids(entries(kind, value)))
        assert found.images.is_empty() and found.prints.is_empty(), value


def test_to_mean_is_to_write_nothing(finished: World):
    before = finished.lake.store.list("ledger")
    meant(finished.lake, with_ids(entries("key", TWIN[0])))
    assert finished.lake.store.list("ledger").equals(before)


def test_entries_are_entered_once_with_what_follows(finished: World, tmp_path: Path):
    world = finished.copy(tmp_path / "copy")
    for _ in range(2):
        enter_all(world.lake, entries("key", TWIN[0]))
        rows = read_takedowns(world.lake.store)
        (asked,) = rows.filter(rows["of"] == "").to_dicts()
        (follows,) = rows.filter(rows["of"] != "").to_dicts()
        assert (follows["value"], follows["of"], follows["date"]) == (
            *(TWIN[1], asked["id"]),
            "2026-01-01",
        )
        assert read_ledger(world.lake.store, "print").height == 1  # both are one file
