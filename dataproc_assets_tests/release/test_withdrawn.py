"""A project whose release was withdrawn: what is made of it, and what its commands say."""

import json
from pathlib import Path

import polars as pl
import pytest

from dataproc_assets.release.manifest import read_manifest
from dataproc_assets.release.publish import read_train
from dataproc_assets.release.purge import purge
from dataproc_assets.release.revocations import read_revocations, revoke
from dataproc_assets.storage.withdrawn import present_name, withdrawals
from dataproc_assets_tests.defs.results import cause
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.release.revoking import DATE, KEY, PUBLIC
from dataproc_assets_tests.test_cli import call, conf, home

__all__ = ["conf", "home"]  # fixtures

TOLD = f"release 'demo' was withdrawn for a revocation of {DATE}: 'demo.1' is in its place"


def withdraw(world: World, rows: pl.DataFrame) -> None:
    """Revoke and purge, under a key that the configuration names."""
    world.change("takedown.yaml", lambda takedown: takedown.update(public_keys=[PUBLIC]))
    store = world.lake.store
    revoke(store, rows, DATE, KEY, trusted=world.lake.project.takedown.public_keys)
    revoked = read_revocations(store, [PUBLIC])
    purge(store, "demo", revoked, code_version="1", say=lambda _: None)


@pytest.fixture
def gone(conf: World) -> pl.DataFrame:
    """The image that the world's release lost: it was withdrawn."""
    rows = read_train(conf.lake.store, "demo").head(1)
    withdraw(conf, rows)
    return rows


def test_nothing_publishes_the_release_again(conf: World, gone: pl.DataFrame):
    assert conf.lake.fresh("release", "demo") and conf.lake.state("release", "demo")
    made = [asset for step in conf.run() for asset in step.assets]
    assert made == ["gallery"]
    assert conf.run() == []
    result = conf.make("release", partition="demo")
    assert not result.success
    assert f"{TOLD}. The name 'demo' is never given again" in cause(result)[1]
    assert conf.lake.store.list("releases/demo")["path"].to_list() == [
        "releases/demo/withdrawn.json"
    ]


def test_where_no_image_is_left_nothing_is_due_either(conf: World):
    withdraw(conf, read_train(conf.lake.store, "demo"))
    assert conf.lake.state("release", "demo") and conf.lake.fresh("release", "demo")
    assert not conf.lake.asked("latents", "demo") and not conf.lake.asked("denoiser", "demo")
    assert [asset for step in conf.run() for asset in step.assets] == ["gallery"]
    assert call("release", "list").output == (
        f"release 'demo' was withdrawn for a revocation of {DATE}: no image was left\n"
    )
    said = call("release", "verify", "demo")
    assert said.exit_code == 2 and "no image was left" in said.output
    assert "no image was left" in call("report").output


def test_commands_follow_the_name(conf: World, gone: pl.DataFrame, tmp_path: Path):
    conf.run()
    listed = call("release", "list").output.splitlines()
    assert [line.split()[0] for line in listed[1:-1]] == ["demo.1"] and listed[-1] == TOLD
    said = call("release", "verify", "demo")
    assert said.exit_code == 0 and said.output.splitlines()[0] == TOLD
    assert said.output.splitlines()[1].startswith("release demo.1: ")
    said = call("release", "fetch", "demo", str(tmp_path / "out"))
    assert said.exit_code == 0 and TOLD in said.output and "release demo.1 " in said.output
    said = call("release", "versions", "demo")
    assert said.exit_code == 1 and f"{TOLD}; no state of it is left" in said.output
    said = call("unpack", "demo", str(tmp_path / "unpacked"))
    assert said.exit_code == 0 and f"mind: {TOLD}" in said.output
    assert TOLD in call("report").output and "release demo.1: " in call("report").output
    for words in (["release", "comfyui", "demo"], ["diff", "demo", "demo.1"]):
        assert call(*words).exit_code == 0, words
    said = call("explain", gone["representative"][0])
    assert said.exit_code == 0 and "demo.1" in said.output


def test_the_gallery_shows_what_is_in_its_place(conf: World, gone: pl.DataFrame):
    conf.run()
    store = conf.lake.store
    pages = [p for p in store.list("gallery")["path"] if p.endswith(".html")]
    text = b"".join(store.get(path) for path in pages).decode()
    assert "demo.1" in text


def test_a_release_with_revoked_images_fails_its_verification(conf: World):
    conf.change("takedown.yaml", lambda takedown: takedown.update(public_keys=[PUBLIC]))
    rows = read_train(conf.lake.store, "demo").head(1)
    revoke(conf.lake.store, rows, DATE, KEY, trusted=[PUBLIC])
    said = call("release", "verify")
    assert said.exit_code == 1
    assert f"1 of the images of 'demo' are revoked (first: {rows['image_id'][0]})" in said.output
    said = call("release", "fetch", "demo")
    assert said.exit_code == 1 and "`dataproc takedown apply --purge`" in said.output
    (path,) = conf.lake.store.list("ledger/revocations")["path"]
    conf.lake.store.put(path, b"{}")
    for words in (["release", "verify"], ["release", "fetch", "demo"], ["unpack", "demo", "out"]):
        said = call(*words)
        assert said.exit_code == 1 and f"{path} is not a revocation as it was" in said.output


def test_a_release_names_the_keys_of_the_configuration(world: World):
    world.change("takedown.yaml", lambda takedown: takedown.update(public_keys=[PUBLIC]))
    world.change("releases/demo.yaml", lambda release: release.update(name="other"))
    (world.conf / "releases/demo.yaml").rename(world.conf / "releases/other.yaml")
    world.run()
    manifest = read_manifest(world.lake.store, "releases/other")
    assert manifest is not None and manifest.revokers == [PUBLIC]
    one = read_manifest(world.lake.store, "releases/demo")
    assert one is not None and one.revokers == []


@pytest.mark.parametrize(
    "change", [{"name": "../../a"}, {"replaced_by": "../a"}, {"name": "b"}, {"more": 1}, None]
)
def test_one_that_was_changed_leads_nowhere(world: World, change):
    store = world.lake.store
    told = {"name": "a", "digest": "", "replaced_by": "a.1", "date": ""} | (change or {})
    data = json.dumps(told).encode() if change else b"{"
    store.put("releases/a/withdrawn.json", data)
    with pytest.raises(ValueError, match="is not what a purge wrote: restore it"):
        present_name(store, "a")


def test_a_loop_of_names_ends(world: World):
    store = world.lake.store
    for name, place in (("a", "b"), ("b", "a")):
        data = b'{"name": "%b", "digest": "", "replaced_by": "%b", "date": ""}'
        store.put(f"releases/{name}/withdrawn.json", data % (name.encode(), place.encode()))
    assert len(withdrawals(store, "a")) == 2 and present_name(store, "a") == "a"
