"""The sample crawl through every stage: each class of its ground truth, by name."""

import io
import json
from collections.abc import Iterator
from itertools import combinations

import numpy as np
import polars as pl
import pytest
import torch
import webdataset
import yaml

from dataproc_assets.release.manifest import read_manifest, verify
from dataproc_assets.release.publish import read_train
from dataproc_assets.storage.lake import Lake
from dataproc_assets.storage.layout import latents_path, release_path
from dataproc_assets_tests.demo import TRUTH, Demo, rows

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]
CLASSES = yaml.safe_load(TRUTH.read_text(encoding="utf-8"))["classes"]
RECIPES = ["animagine4", "illustrious"]


class World:
    """The tables of a finished demo, by key."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        sources = lake.project.sources
        self.records = _stack(rows(lake.read("records", s), "image_key") for s in sources)
        self.metrics = _stack(rows(lake.read("metrics_merged", s), "image_key") for s in sources)
        self.prefiltered = _stack(rows(lake.read("prefiltered", s), "image_key") for s in sources)
        self.inventory = _stack(rows(lake.read("inventory", s), "image_key") for s in sources)
        self.members = rows(lake.read("members"), "image_key")
        self.images = rows(lake.read("images"), "image_id")
        self.sanitized = {r: rows(lake.read("sanitized", r), "image_id") for r in RECIPES}
        self.edges = lake.read("dedup_cross").collect()
        self.released = rows(read_train(lake.store, "demo"), "image_id")

    def image(self, key: str) -> str | None:
        """The image_id that a key's picture goes by."""
        return self.members[key]["image_id"]

    def drop(self, key: str) -> str | None:
        """Why a key was dropped before the search for duplicates."""
        return self.prefiltered[key]["drop_reason"]

    def reasons(self, key: str) -> set[str]:
        """Why the image of a key may not be released, over all recipes."""
        image = self.image(key)
        verdicts = [table[image] for table in self.sanitized.values() if image in table]
        assert verdicts, f"{key} has no prompt in any recipe"
        assert not any(verdict["keep"] for verdict in verdicts)
        return {reason for verdict in verdicts for reason in verdict["drop_reasons"]}


def _stack(tables: Iterator[dict[str, dict]]) -> dict[str, dict]:
    return {key: row for table in tables for key, row in table.items()}


@pytest.fixture(scope="module")
def world(demo: Demo) -> World:
    return World(demo.lake())


def keys(name: str) -> list[str]:
    return CLASSES[name]["keys"]


def test_every_class_of_the_ground_truth_has_a_test():
    tested = {name.removeprefix("test_class_") for name in globals() if "test_class_" in name}
    assert set(CLASSES) == tested


def test_class_kept(world: World):
    for key in keys("kept"):
        assert world.members[key]["role"] == "representative", key
        assert world.released[world.image(key)]["representative"] == key


def test_class_cross_posts(world: World):
    for group in CLASSES["cross_posts"]["groups"]:
        members = [member["key"] for member in group["members"]]
        known = [world.members[key] for key in members]
        assert len({row["component"] for row in known}) == 1, group["name"]
        standing = [row for row in known if row["role"] == "representative"]
        assert len(standing) == 1, group["name"]
        for row in known:
            if row["role"] == "duplicate":
                assert row["drop_reason"].startswith(f"duplicate of {row['representative']}: ")
        joined = [k for k, r in world.members.items() if r["component"] == known[0]["component"]]
        assert sorted(joined) == sorted(members), group["name"]


def test_class_variants(world: World):
    same = {
        pair
        for group in CLASSES["cross_posts"]["groups"]
        for pair in combinations(sorted(m["key"] for m in group["members"]), 2)
    }
    for group in CLASSES["variants"]["groups"]:
        for pair in set(combinations(sorted(group["keys"]), 2)) - same:
            images = {world.members[key]["component"] for key in pair}
            assert len(images) == 2, (group["name"], pair)


def test_class_ai_flagged(world: World):
    for key in keys("ai_flagged"):
        assert world.images[world.image(key)]["ai"] == "yes", key
        assert "ai" in world.reasons(key)


def test_class_opted_out_artist(world: World):
    for key in keys("opted_out_artist"):
        assert world.images[world.image(key)]["opt_out"], key
        assert "opt_out" in world.reasons(key)


def test_class_banned_artist(world: World):
    assert [world.drop(key) for key in keys("banned_artist")] == ["not_active", "bad_status"]
    for key in keys("banned_artist"):
        assert world.prefiltered[key]["danbooru__status"] == "banned"


def test_class_banned_words(world: World):
    for key in keys("banned_words"):
        assert "banned_word" in world.reasons(key), key


def test_class_never_rules(world: World):
    quarantine = {
        row["image_key"]
        for path in world.lake.store.list("ledger/quarantine")["path"]
        for row in pl.read_parquet(world.lake.store.get(path)).iter_rows(named=True)
    }
    for key in keys("never_rules"):
        assert key in quarantine
        assert world.reasons(key) & {"never_tag", "child_tag_in_adult"}
        assert not world.lake.store.exists(thumbnail(world.metrics[key]["pixels_sha256"]))


def test_class_never_rules_kept(world: World):
    for key in keys("never_rules_kept"):
        assert world.image(key) in world.released, key


def test_class_rating_conflict(world: World):
    assert len({world.image(key) for key in keys("rating_conflict")}) == 1
    assert world.images[world.image(keys("rating_conflict")[0])]["rating"] == "questionable"


def test_class_deleted_post(world: World):
    for key in keys("deleted_post"):
        assert world.drop(key) == "not_active", key


def test_class_third_party_edit(world: World):
    for key in keys("third_party_edit"):
        assert "banned_content" in world.reasons(key)


def test_class_escaped_tags(world: World):
    for key in keys("escaped_tags"):
        assert "painter's_palette" in world.records[key]["tags_general"]
        assert world.image(key) in world.released


def test_class_pixel_perfect_duplicate(world: World):
    (kept,) = CLASSES["pixel_perfect_duplicate"]["kept"]
    for key in keys("pixel_perfect_duplicate"):
        expected = None if key == kept else "pixel_perfect_child"
        assert world.drop(key) == expected
    assert world.image(kept) in world.released


def test_class_same_source_duplicate(world: World):
    pair = sorted(keys("same_source_duplicate"))
    within = world.lake.read("dedup_intra", "pixiv").filter(pl.col("kind") == "duplicate").collect()
    assert tuple(pair) in within.select("a", "b").rows()
    assert sorted(world.members[key]["role"] for key in pair) == ["duplicate", "representative"]


def test_class_retweet(world: World):
    for key in keys("retweet"):
        assert world.records[key]["kind"] == "retweet"
        assert world.drop(key) == "not_a_still_image"
    for key in CLASSES["retweet"]["kept"]:
        assert world.image(key) in world.released


def test_class_low_engagement(world: World):
    reasons = [world.drop(key) for key in keys("low_engagement")]
    assert reasons == [
        "few_bookmarks_old",
        "large_account_few_likes",
        "large_account_without_success",
    ]


def test_class_corrupt(world: World):
    for key in keys("corrupt"):
        assert world.metrics[key]["metrics_status"] == "failed"
        assert world.drop(key) == "undecodable: not_an_image"


def test_class_truncated(world: World):
    for key in keys("truncated"):
        assert world.metrics[key]["metrics_status"] == "failed"
        assert world.drop(key) == "undecodable: truncated"


def test_class_bomb(world: World):
    for key in keys("bomb"):
        assert world.drop(key) == "undecodable: too_many_pixels"


def test_class_exif_rotated(world: World):
    truth = CLASSES["exif_rotated"]
    for key in keys("exif_rotated"):
        size = world.metrics[key]["pixels_width"], world.metrics[key]["pixels_height"]
        assert size == (truth["width"], truth["height"])
        assert world.drop(key) is None


def test_class_transparent(world: World):
    for key in keys("transparent"):
        assert world.metrics[key]["pixels_alpha_share"] > 0
        assert world.drop(key) is None


def test_class_animated_gif(world: World):
    for key in keys("animated_gif"):
        assert world.metrics[key]["pixels_frames"] == 4
        assert "animated" in world.prefiltered[key]["drop_reasons"]


def test_class_low_pixels(world: World):
    for key in keys("low_pixels"):
        assert "too_small" in world.prefiltered[key]["drop_reasons"]


def test_class_extreme_aspect(world: World):
    for key in keys("extreme_aspect"):
        assert "too_wide" in world.prefiltered[key]["drop_reasons"]


def test_class_hash_name(world: World):
    for key in keys("hash_name"):
        assert "-" in world.inventory[key]["uri"].rsplit("/", 1)[-1]
        assert world.drop(key) is None


def test_class_record_without_image(world: World):
    for key in keys("record_without_image"):
        assert key in world.records
        assert world.drop(key) == "no_image"


def test_class_image_without_record(world: World):
    for key in keys("image_without_record"):
        assert key in world.inventory
        assert world.drop(key) == "no_record"


def test_class_cover_asset(world: World):
    for key in keys("cover_asset"):
        assert world.drop(key) == "not_a_still_image"
    for key in CLASSES["cover_asset"]["kept"]:
        assert world.drop(key) is None


def test_class_hidden_files(world: World):
    known = {row["uri"] for row in world.inventory.values()}
    aside = pl.concat(
        [world.lake.read("rejected_files", s) for s in world.lake.project.sources]
    ).collect()
    for path in CLASSES["hidden_files"]["paths"]:
        uri = world.lake.bucket.uri(path)
        assert uri not in known
        assert aside.filter(pl.col("place").str.starts_with(uri)).height == 1, path


def test_class_bad_record(world: World):
    rejects = pl.concat([world.lake.read("rejects", s) for s in world.lake.project.sources])
    places = dict(rejects.select("place", "reason").collect().iter_rows())
    for path in CLASSES["bad_record"]["paths"]:
        found = [why for place, why in places.items() if f"/{path}:" in place]
        assert len(found) == 1, path
        assert found[0]


def test_nothing_vanishes_between_the_intake_and_the_members(world: World):
    assert set(world.inventory) | set(world.records) == set(world.prefiltered)
    assert set(world.prefiltered) == set(world.members)


def test_released_rows_are_what_was_asked(world: World):
    select = world.lake.project.releases["demo"].select
    assert len(world.released) > 100
    for row in world.released.values():
        assert row["rating"] in select.ratings
        assert row["ai"] != "yes"
        assert not row["opt_out"]
        assert all(row[f"prompts__{recipe}"][0] for recipe in RECIPES)


def test_the_release_verifies_and_opens_with_polars_and_webdataset(world: World):
    store = world.lake.store
    assert verify(store, "demo") == []
    manifest = read_manifest(store, release_path("demo"))
    assert manifest is not None
    tables = [store.uri(f"{manifest.root}/{f}") for f in manifest.files if f.endswith(".parquet")]
    table = pl.concat(map(pl.read_parquet, tables))
    assert table["split"].n_unique() == len(tables) == 2
    tars = [store.uri(f"{manifest.root}/{f}") for f in manifest.files if f.endswith(".tar")]
    samples = list(webdataset.WebDataset(tars, shardshuffle=False, empty_check=False))
    assert len(samples) == table.height == len(world.released)
    hashes = rows(table, "image_id")
    for sample in samples:
        about = json.loads(sample["json"])
        assert about["image_id"] in hashes
        assert sample["txt"]


def test_a_latent_decodes_back_to_its_picture(world: World):
    from dataproc_assets.models.vae import load_vae

    store, project = world.lake.store, world.lake.project
    manifest = read_manifest(store, latents_path("demo"))
    assert manifest is not None
    assert manifest.counts["images"] == len(world.released)
    tars = [store.uri(f"{manifest.root}/{f}") for f in manifest.files if f.endswith(".tar")]
    sample = next(iter(webdataset.WebDataset(tars, shardshuffle=False, empty_check=False)))
    latent = np.load(io.BytesIO(sample["latent.npy"]))
    about = json.loads(sample["json"])
    width, height = about["bucket"]
    vae = project.vaes["demo"]
    assert latent.shape == (vae.channels, height // vae.factor, width // vae.factor)
    tensor = torch.from_numpy(latent[None].astype(np.float32))
    picture = load_vae(vae).decode(tensor)[0].numpy()
    original = _picture(world, about, (width, height))
    error = float(np.mean((picture - original) ** 2))
    assert 10 * np.log10(4 / error) > 13


def _picture(world: World, about: dict, size: tuple[int, int]) -> np.ndarray:
    """The original as the VAE saw it: resized and cut to its bucket, [3, h, w] in [-1, 1]."""
    from PIL import Image

    from dataproc_assets.jobs.decode import decode
    from dataproc_assets.storage.address import read_address

    row = world.inventory[about["representative"]]
    data = read_address(row["uri"], row["offset"], row["length"])
    image = decode(data, world.lake.project.profile.decode).image
    left, top, _, _ = about["crop_ltrb"]
    resized = image.resize(about["resized_size"], Image.Resampling.LANCZOS)
    cut = resized.crop((left, top, left + size[0], top + size[1]))
    return np.asarray(cut, np.float32).transpose(2, 0, 1) / 127.5 - 1


def test_the_gallery_shows_pictures_of_what_is_kept(world: World):
    row = world.released[world.image(keys("kept")[0])]
    assert world.lake.store.exists("gallery/index.html")
    thumbs = world.lake.store.list("gallery/thumbs")["path"]
    assert len(thumbs) > 50
    assert thumbnail(row["sha256"]) in set(thumbs)


def thumbnail(sha256: str) -> str:
    return f"gallery/thumbs/{sha256[:2]}/{sha256}.webp"
