"""The commands that show and fetch the states of a release, and the bucket that keeps them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataproc_assets.release.manifest import MANIFEST, read_manifest
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.upload import upload_folder
from dataproc_assets_tests.defs.results import cause, metadata
from dataproc_assets_tests.defs.world import World
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import run
from dataproc_assets_tests.release.versioned import delete_all, new_bucket
from dataproc_assets_tests.test_cli import call, conf, home

__all__ = ["conf", "home"]  # fixtures


def test_a_release_is_fetched_and_verified_where_it_lies(conf: World, tmp_path: Path):
    said = call("release", "fetch", "demo", str(tmp_path / "out"))
    assert said.exit_code == 0, said.output
    manifest = read_manifest(conf.lake.store, "releases/demo")
    assert manifest is not None
    assert "fetching demo: 100 %" in said.output
    assert said.output.splitlines()[-1] == (
        f"{tmp_path / 'out'}: release demo {manifest.digest[:16]}, no latents; "
        f"{len(manifest.files)} files brought, 0 were there"
    )
    assert call("release", "verify", "--folder", str(tmp_path / "out")).exit_code == 0
    table = tmp_path / "out" / manifest.root / "train.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    said = call("release", "verify", "--folder", str(tmp_path / "out"))
    assert said.exit_code == 1 and "train.parquet" in said.output
    said = call("release", "fetch", "demo", str(tmp_path / "out"))
    assert said.output.splitlines()[-1].endswith(
        f"1 files brought, {len(manifest.files) - 1} were there"
    )
    assert call("release", "fetch", "demo").exit_code == 0  # a folder of its name
    assert (Path.cwd() / "demo/releases/demo" / MANIFEST).is_file()


def test_what_cannot_be_fetched_is_told(conf: World, tmp_path: Path):
    said = call("release", "fetch", "dem")
    assert said.exit_code == 1 and "'dem' is not published; `dataproc release list`" in said.output
    said = call("release", "fetch", "demo", "--version", "0" * 16)
    assert said.exit_code == 1 and "is no state of 'demo'; there are" in said.output
    (tmp_path / "mine").write_text("x")
    said = call("release", "fetch", "demo", str(tmp_path))
    assert said.exit_code == 1 and "holds other files: name a new folder" in said.output
    said = call("release", "versions", "dem")
    assert said.exit_code == 1 and "nothing was ever published" in said.output


def test_all_states_are_shown_newest_first(
    conf: World, s3, crawl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = new_bucket(versioned=True)
    conf.change("profiles/local.yaml", lambda profile: profile["storage"].update(root=store.url))
    one = run(store, crawl)
    delete_all(store)
    assert "small" not in call("release", "list").output
    two = run(store, crawl, release_config(title="Another"))
    lines = call("release", "versions", "small").output.splitlines()
    assert [line.split()[0] for line in lines] == ["state", "published", "past"]
    assert two.digest[:16] in lines[1] and one.digest[:16] in lines[2]
    for asked in (one.digest[:12], lines[2].split()[5]):
        said = call("release", "fetch", "small", str(tmp_path / asked), "--version", asked)
        assert said.exit_code == 0, said.output
        found = read_manifest(ObjectStore(str(tmp_path / asked)), "releases/small")
        assert found is not None and found.digest == one.digest


def test_the_profile_says_what_a_release_does_with_a_bucket(s3, world: World):
    store = new_bucket(versioned=False)
    upload_folder(store, Path(world.lake.store.url))
    for path in store.list("releases")["path"]:
        store.delete(path)

    def moved(versioning: str) -> Callable[[dict[str, Any]], None]:
        return lambda profile: profile["storage"].update(root=store.url, versioning=versioning)

    world.change("profiles/local.yaml", moved("require"))
    result = world.make("release", partition="demo")
    assert not result.success and cause(result)[0] == "VersioningError"
    assert store.list("releases").is_empty()

    world.change("profiles/local.yaml", moved("enable"))
    result = world.make("release", partition="demo")
    assert result.success
    manifest = read_manifest(store, "releases/demo")
    assert manifest is not None
    versions = {path: entry.version for path, entry in manifest.files.items()}
    assert all(versions.values()) and metadata(result, "release")["versions"] == versions
