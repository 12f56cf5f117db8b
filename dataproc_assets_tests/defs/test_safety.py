"""What is written of a world in which one picture must not be shown: its ids, and nothing else.

The picture is posted on two platforms. One post is kept and says nothing against itself; its twin
was dropped at intake, unscored, and says everything.
"""

import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.ledger import read_ledger
from dataproc_assets_tests.defs.posts import DANBOORU, KEPT, danbooru_record, picture, pixiv_record
from dataproc_assets_tests.defs.world import World

RECIPE = "animagine4"
SHOWN = "danbooru/7"  # kept: what its records say is harmless
TWIN = "pixiv/107_p0"  # of the same picture, dropped for its few bookmarks
SECRETS = ("Secret Title", "secret_person", "secret_tag")
HELD = picture(7)


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> World:
    """A world in which everything is made, up to the release and the gallery."""
    world = World.crawled(tmp_path_factory.mktemp("safety"))
    link = "https://www.pixiv.net/artworks/107"
    post = danbooru_record(7, tag_string_general="1girl secret_tag", source=link, pixiv_id=107)
    twin = pixiv_record(
        107,
        title="Secret Title",
        caption="so cute #ロリ",
        user={"id": 9, "name": "secret_person", "account": "secret_person"},
        total_bookmarks=3,
        x_restrict=1,
    )
    posts = {**DANBOORU, 7: post}
    world.put_danbooru(posts)
    world.put("dataset-pixiv/resized_1/107_p0.png", HELD)
    world.put("dataset-pixiv/resized_1/107_p0.json", json.dumps(twin).encode())
    world.change("releases/demo.yaml", _all_ratings)
    world.run()
    return world


def test_the_twin_was_dropped_unscored_and_the_other_was_kept(suite: World):
    members = suite.lake.read("members").collect()
    roles = dict(members.select("image_key", "role").iter_rows())
    assert (roles[SHOWN], roles[TWIN]) == ("representative", "dropped")
    component = dict(members.select("image_key", "component").iter_rows())
    assert component[SHOWN] == component[TWIN]


def test_the_whole_cluster_is_in_the_quarantine(suite: World):
    held = read_ledger(suite.lake.store, "quarantine")["image_key"]
    assert {SHOWN, TWIN} <= set(held)


def test_it_is_in_no_release(suite: World):
    assert set(read_train(suite.lake.store, "demo")["representative"]) == {*KEPT}


@pytest.mark.parametrize("table", ["images", "prompts", "sanitized"])
def test_a_merged_table_has_its_ids_alone(suite: World, table: str):
    """The tables of each source keep what the crawl said: nothing is copied from them."""
    rows = suite.lake.read(table, None if table == "images" else RECIPE).collect()
    images = suite.lake.read("images").filter(pl.col("representative") == SHOWN).collect()
    (image,) = rows.join(images.select("image_id"), on="image_id", how="semi").to_dicts()
    told = json.dumps(image, default=str)
    assert image["image_id"] in told
    assert not [secret for secret in SECRETS if secret.casefold() in told.casefold()]
    assert not [value for name, value in image.items() if value and name not in _IDS]


def test_nothing_that_people_are_shown_tells_a_word_of_it(suite: World):
    """The pages of the gallery and all files of the release."""
    shown = [path for path in _files(suite, "gallery", "releases") if path.suffix != ".webp"]
    assert any(path.suffix == ".html" for path in shown)
    assert any(path.suffix == ".tar" for path in shown)
    for path in shown:
        text = path.read_bytes().lower()
        assert not [word for word in SECRETS if word.lower().encode() in text], path


def test_no_picture_of_it_is_drawn(suite: World):
    """By the name of the file, which is the digest of the original, and by its pixels."""
    thumbs = [path for path in _files(suite, "gallery") if path.suffix == ".webp"]
    digests = dict(_digests(suite))
    assert thumbs and {digests[key] for key in KEPT} <= {path.stem for path in thumbs}
    assert digests[SHOWN] not in {path.stem for path in thumbs}
    for path in thumbs:
        assert _distance(path.read_bytes(), HELD) > 5, path
    (kept,) = [path for path in thumbs if path.stem == digests[KEPT[1]]]
    assert _distance(kept.read_bytes(), picture(101)) < 5  # so the distance tells pictures apart


def test_its_bytes_are_copied_nowhere(suite: World):
    for path in _files(suite, ""):
        assert HELD not in path.read_bytes(), path


_IDS = {
    *("image_id", "representative", "members", "quarantined", "variant"),
    *("keep", "drop_reason", "drop_reasons"),
}


def _files(world: World, *folders: str) -> list[Path]:
    store = world.home / "store"
    return [
        path for folder in folders for path in sorted((store / folder).rglob("*")) if path.is_file()
    ]


def _digests(world: World) -> list[tuple[str, str]]:
    rows = world.lake.read_all("metrics_merged").select("image_key", "pixels_sha256").collect()
    return rows.drop_nulls().rows()


def _distance(one: bytes, other: bytes) -> float:
    """The mean difference of two pictures' values, from 0 to 255, at the size of the smaller."""
    first, second = (Image.open(io.BytesIO(data)).convert("RGB") for data in (one, other))
    size = min(first.size, second.size)
    pixels = [np.asarray(image.resize(size), dtype=np.float64) for image in (first, second)]
    return float(np.abs(pixels[0] - pixels[1]).mean())


def _all_ratings(release: dict) -> None:
    release["select"]["ratings"] = ["general", "sensitive", "questionable", "explicit"]
