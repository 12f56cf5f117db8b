from pathlib import Path

import pytest

from dataproc_assets.release.manifest import MANIFEST, read_manifest
from dataproc_assets.releases import UnknownRelease, faults, published
from dataproc_assets.storage.layout import release_path
from dataproc_assets_tests.defs.posts import KEPT
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.test_cli import call, conf, home, start

__all__ = ["conf", "home"]  # fixtures


def test_every_published_release_is_listed(conf: World):
    said = call("release", "list")
    manifest = read_manifest(conf.lake.store, release_path("demo"))
    assert said.exit_code == 0 and manifest is not None
    cells = said.output.splitlines()[1].split()
    assert cells[:4] == ["demo", str(len(KEPT)), str(len(KEPT)), str(len(manifest.files))]
    assert cells[-2:] == ["none", manifest.digest[:16]]


def test_a_release_whose_yaml_is_gone_is_still_there(conf: World):
    path = conf.conf / "releases" / "demo.yaml"
    path.write_text(path.read_text().replace("name: demo", "name: other"))
    path.rename(path.with_stem("other"))
    assert call("release", "list").output.splitlines()[1].startswith("demo ")


def test_nothing_published_is_told_with_the_next_step(home: Path):
    said = call("release", "list")
    assert said.exit_code == 0 and "no release was published here yet" in said.output
    assert call("release", "verify").output == ""


def test_a_release_as_it_was_published_verifies(conf: World):
    said = call("release", "verify", "demo")
    assert said.exit_code == 0 and said.output.endswith(": as published\n")


@pytest.mark.parametrize("damage", ["changed", "lost", "added"])
def test_one_other_byte_is_found(conf: World, damage: str, monkeypatch: pytest.MonkeyPatch):
    store = conf.lake.store
    manifest = read_manifest(store, release_path("demo"))
    assert manifest is not None
    table = f"{manifest.root}/train.parquet"
    if damage == "changed":
        data = bytearray(store.get(table))
        data[len(data) // 2] ^= 1
        store.put(table, bytes(data))
    elif damage == "lost":
        store.delete(table)
    else:
        store.put(f"{manifest.root}/more.txt", b"x")
    ((_, problems),) = faults(store, published(store))
    assert len(problems) == 1
    assert ("more.txt" if damage == "added" else "train.parquet") in problems[0]
    assert start(monkeypatch, "release", "verify") == 1


def test_an_unknown_release_is_named_with_the_nearest(conf: World):
    said = call("release", "verify", "dem")
    assert said.exit_code == 2 and "did you mean 'demo'?" in said.output
    conf.lake.store.delete(f"{release_path('demo')}/{MANIFEST}")
    with pytest.raises(UnknownRelease, match="there are none"):
        published(conf.lake.store, ["demo"])
