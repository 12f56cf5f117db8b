import io
import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from PIL import Image

from dataproc_assets.config.denoiser import denoiser_fingerprint
from dataproc_assets.defs.checks.denoiser import DENOISER
from dataproc_assets.release.manifest import read_manifest, verify_folder
from dataproc_assets.storage.layout import denoiser_parts_path, denoiser_path, latents_path
from dataproc_assets_tests.defs.asking import ask, failed
from dataproc_assets_tests.defs.posts import SIDE, pixiv_record
from dataproc_assets_tests.defs.results import cause, checks, data_version, metadata
from dataproc_assets_tests.defs.test_release import LATENTS
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.denoisers import small_config, workers
from dataproc_assets_tests.stores import contents

FOLDER = denoiser_path("demo")
COLOURS = ("red", "green", "blue")
WORKS = range(110, 140)


def painting(number: int) -> bytes:
    """A PNG of dark squares, with much more of one colour."""
    squares = np.random.default_rng(number).integers(60, 90, size=(SIDE // 32, SIDE // 32, 3))
    pixels = squares.repeat(32, 0).repeat(32, 1).astype(np.uint8)
    pixels[..., number % len(COLOURS)] += 120
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def encoded(home: Path) -> World:
    """A world of paintings with latents, whose tags name their colours."""
    home.mkdir()
    world = World.crawled(home)
    for number in WORKS:
        tags = ["1girl", COLOURS[number % len(COLOURS)]]
        world.add_pixiv(number, pixiv_record(number, tags=tags))
        world.put(f"dataset-pixiv/resized_1/{number}_p0.png", painting(number))
    asked = small_config(patch=8).model_dump(mode="json")
    splits = {"train": 0.7, "validation": 0.3}
    changes = {"latents": LATENTS, "denoiser": asked, "splits": splits}
    world.change("releases/demo.yaml", lambda conf: conf.update(changes))
    world.run(until="latents")
    return world


def train(world: World) -> dg.ExecuteInProcessResult:
    return world.make("denoiser", partition="demo")


def files(world: World) -> dict[str, bytes]:
    return contents(world.lake.store, "denoisers")


def marks(world: World) -> list[str]:
    """The folds that are done."""
    release = world.lake.project.releases["demo"]
    assert release.denoiser is not None and release.latents is not None
    vae = world.lake.project.vaes[release.latents.vae]
    folder = denoiser_parts_path(denoiser_fingerprint(release.denoiser, vae))
    paths = world.lake.store.list(folder)["path"]
    return paths.filter(paths.str.ends_with(".json")).to_list()


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> World:
    """A world whose latents are made: to be copied."""
    return encoded(tmp_path_factory.mktemp("told") / "home")


@pytest.fixture(scope="module")
def made(untrained, tmp_path_factory) -> tuple[World, dg.ExecuteInProcessResult]:
    """The same with its denoiser, and what its run gave: to be read or copied."""
    world = untrained.copy(tmp_path_factory.mktemp("made") / "home")
    return world, train(world)


@pytest.fixture
def trained(made, tmp_path) -> World:
    return made[0].copy(tmp_path / "copy")


def test_prompts_that_tell_what_is_shown_help(made):
    world, result = made
    assert result.success
    assert checks(result) == {"denoiser:whole": True, "denoiser:prompts_help": True}
    told = metadata(result, "denoiser")
    assert told["proof"]["loss"]["true"] < 0.95 * told["proof"]["loss"]["shuffled"]
    assert told["proof"]["images"] == len(WORKS) + 3
    assert told["card"].startswith("# Reference denoiser of demo")
    assert verify_folder(world.lake.store, FOLDER) == []
    assert world.lake.fresh("denoiser", "demo")


def test_the_held_out_split_is_that_of_the_release(made):
    store = made[0].lake.store
    manifest, release = read_manifest(store, FOLDER), read_manifest(store, "releases/demo")
    assert manifest is not None and release is not None
    losses = pl.read_parquet(store.get(f"{manifest.root}/losses.parquet"))
    for split in ("train", "validation"):
        rows = pl.read_parquet(store.get(f"{release.root}/{split}.parquet"))
        found = losses.filter(split=split)
        assert found["image_id"].sort().equals(rows["image_id"].sort())
        assert (found["fold"] == 0).all() == (split == "validation")


def test_again_nothing_is_trained_and_all_is_as_before(trained: World, made):
    before = files(trained)
    result = train(trained)
    assert metadata(result, "denoiser")["seconds"] == 0.0
    assert data_version(result, "denoiser") == data_version(made[1], "denoiser")
    assert files(trained) == before


def test_a_stricter_check_trains_nothing_and_fails(trained: World):
    trained.change("releases/demo.yaml", lambda conf: conf["denoiser"].update(z_min=1000.0))
    assert not trained.lake.fresh("denoiser", "demo")
    result = train(trained)
    assert result.success and metadata(result, "denoiser")["seconds"] == 0.0
    assert checks(result) == {"denoiser:whole": True, "denoiser:prompts_help": False}


def test_changed_weights_fail_the_check_and_are_put_there_anew(trained: World):
    before, store = files(trained), trained.lake.store
    (path,) = (path for path in before if path.endswith(".safetensors"))
    store.put(path, before[path][:-1] + b"x")
    assert failed(ask(DENOISER, trained.lake, "denoiser", "demo")) == ["whole"]
    assert all(checks(train(trained)).values()) and files(trained) == before


def test_other_steps_and_other_latents_are_due(trained: World):
    lake = trained.lake
    assert lake.fresh("denoiser", "demo")
    trained.change("releases/demo.yaml", lambda conf: conf["denoiser"].update(steps=7))
    assert not trained.lake.fresh("denoiser", "demo") and trained.lake.fresh("latents", "demo")
    trained.change("releases/demo.yaml", lambda conf: conf["denoiser"].update(steps=6))
    assert trained.lake.fresh("denoiser", "demo")
    latents = read_manifest(lake.store, latents_path("demo"))
    assert latents is not None
    other = replace(latents, digest="0" * 64).to_json()
    lake.store.put(f"{latents_path('demo')}/manifest.json", other)
    assert not trained.lake.fresh("denoiser", "demo")


def test_a_vae_that_is_another_one_fails_before_a_worker_starts(trained: World):
    def spoil(conf: dict) -> None:
        conf["weights"]["sha256"] = "0" * 64

    trained.change("vaes/demo.yaml", spoil)
    name, message = cause(train(trained))
    assert name == "WeightsError" and "conf/vaes/demo.yaml:" in message


def test_a_denoiser_that_is_not_asked_for_says_how_to_ask(finished: World):
    result = train(finished)
    assert not result.success
    assert "conf/releases/demo.yaml has no section 'denoiser'" in cause(result)[1]
    assert finished.lake.fresh("denoiser", "demo")  # nothing is due


@pytest.mark.slow
def test_killed_and_made_again_it_is_the_same_and_no_fold_twice(untrained: World, tmp_path: Path):
    """The workers are killed once a fold is done; the rest, and only that, is trained later."""

    def longer(conf: dict) -> None:
        conf["denoiser"]["steps"] = 120

    worlds = [untrained.copy(tmp_path / name) for name in ("calm", "hasty")]
    for world in worlds:
        world.change("releases/demo.yaml", longer)
        world.change("profiles/local.yaml", lambda conf: conf["runner"].update(processes=1))
    calm, hasty = worlds
    assert train(calm).success
    ended = threading.Event()

    def kill() -> None:
        while not ended.is_set() and not marks(hasty):
            time.sleep(0.01)
        for process in workers():
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    result = train(hasty)
    ended.set()
    killer.join()
    assert not result.success and files(hasty) == {}
    done = {path: hasty.lake.store.get(path) for path in marks(hasty)}
    assert len(done) in (1, 2)
    assert train(hasty).success
    assert {path: hasty.lake.store.get(path) for path in done} == done
    assert files(hasty) == files(calm)
