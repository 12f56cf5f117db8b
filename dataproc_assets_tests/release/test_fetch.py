import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dataproc_assets
from dataproc_assets.release.fetch import Fetched, fetch
from dataproc_assets.release.fetch_plan import FetchError, plan_fetch
from dataproc_assets.release.manifest import MANIFEST, read_manifest, verify, verify_latents
from dataproc_assets.release.states import UnknownStateError, states
from dataproc_assets.release.unpack_plan import plan_unpack
from dataproc_assets.storage.objects import ObjectStore
from dataproc_assets.storage.writes import WriteError
from dataproc_assets_tests.release.crawl import release_config
from dataproc_assets_tests.release.making import run, tree
from dataproc_assets_tests.release.versioned import delete_all, new_bucket
from dataproc_assets_tests.stores import contents, copied

MANIFEST_PATH = f"releases/small/{MANIFEST}"


@pytest.fixture
def store(released, tmp_path) -> ObjectStore:
    """A copy of the release."""
    return copied(released, ObjectStore(str(tmp_path / "store")))


def bring(store: ObjectStore, folder: Path, **asked) -> Fetched:
    return fetch(plan_fetch(store, "small", **asked), folder)


def test_a_fetched_release_verifies_and_can_be_unpacked(released, tmp_path):
    seen: list[int] = []
    plan = plan_fetch(released, "small")
    done = fetch(plan, tmp_path / "out", seen=seen.append)
    assert done == Fetched(len(plan.files()), 0) and sum(seen) == plan.bytes()
    local = ObjectStore(str(tmp_path / "out"))
    assert verify(local, "small") == verify_latents(local, "small") == []
    kept = {path: data for path, data in tree(Path(released.url)).items() if "units/" not in path}
    assert tree(tmp_path / "out") == kept
    assert len(plan_unpack(local, "small").entries) == 9
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_without_latents_the_release_comes_alone(released, tmp_path):
    bring(released, tmp_path / "out", latents=False)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["releases"]
    done = bring(released, tmp_path / "out")
    assert done.brought > 0 and done.kept > 0
    assert verify_latents(ObjectStore(str(tmp_path / "out")), "small") == []


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(released, tmp_path):
    first = bring(released, tmp_path / "out")
    whole = tree(tmp_path / "out")
    shard = next((tmp_path / "out/releases").rglob("*.tar"))
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(bytes(data))
    assert bring(released, tmp_path / "out") == Fetched(1, first.brought - 1)
    assert tree(tmp_path / "out") == whole


def test_both_past_states_come_back_exactly(s3, crawl, tmp_path):
    store = new_bucket(versioned=True)
    one = run(store, crawl)
    assert all(entry.version for entry in one.manifest.files.values())
    first = contents(store)
    delete_all(store)
    assert store.list().is_empty()
    two = run(store, crawl, release_config(title="Another"))
    second = contents(store)
    shard = f"{two.manifest.root}/webdataset/train-00000.tar"
    store.put(shard, b"damaged")
    assert verify(store, "small")

    known = states(store, "releases/small")
    assert [(state.published, state.manifest.digest) for state in known] == [
        (True, two.digest),
        (False, one.digest),
    ]
    bring(store, tmp_path / "two")
    bring(store, tmp_path / "one", version=one.digest[:8])
    bring(store, tmp_path / "by_version", version=known[1].version)
    assert tree(tmp_path / "two") == second
    assert tree(tmp_path / "one") == tree(tmp_path / "by_version") == first
    delete_all(store)
    with pytest.raises(UnknownStateError, match=r"is not published; .* release versions small"):
        bring(store, tmp_path / "none")
    bring(store, tmp_path / "again", version=two.digest)
    assert tree(tmp_path / "again") == second
    with pytest.raises(FetchError, match="holds another state of this release"):
        bring(store, tmp_path / "one", version=two.digest)
    with pytest.raises(UnknownStateError, match=f"is no state of 'small'; .*{one.digest[:16]}"):
        bring(store, tmp_path / "none", version="0" * 20)


def test_a_copy_in_another_bucket_has_other_versions_and_is_fetched(s3, crawl, tmp_path):
    store, copy = new_bucket(versioned=True), new_bucket(versioned=True)
    run(store, crawl)
    bring(copied(store, copy), tmp_path / "out")
    assert verify(ObjectStore(str(tmp_path / "out")), "small") == []


@pytest.mark.parametrize("there", [True, False])
def test_bytes_that_are_lost_are_named_and_nothing_is_half_there(store, tmp_path, there):
    path = next(path for path in store.list()["path"] if path.endswith("00.tar"))
    store.put(path, bytes(store.size(path))) if there else store.delete(path)
    with pytest.raises(FetchError, match=f"{path}: the bytes that were published are no longer"):
        bring(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["../evil", "/tmp/evil", "a/../../../../evil", "a//b", "./a", "a\\..\\b", "a\nb", ""]
)
def test_no_file_of_a_manifest_gets_out_of_the_folder(store, tmp_path, name):
    value = json.loads(store.get(MANIFEST_PATH))
    value["files"][name] = next(iter(value["files"].values()))
    store.put(MANIFEST_PATH, json.dumps(value).encode())
    with pytest.raises(FetchError, match="does not lie in the release's folder"):
        bring(store, tmp_path / "a/b/out")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("root", ["..", "releases/other", "releases/small/../..", "releases/small"])
def test_no_root_of_a_manifest_gets_out_of_the_folder(store, tmp_path, root):
    value = json.loads(store.get(MANIFEST_PATH))
    store.put(MANIFEST_PATH, json.dumps(value | {"root": root}).encode())
    with pytest.raises(FetchError, match="does not lie in the release's folder"):
        bring(store, tmp_path / "out")


@pytest.mark.parametrize("kind", ["releases", "latents"])
def test_no_name_of_a_manifest_gets_out_of_the_folder(store, tmp_path, kind):
    path = f"{kind}/small/{MANIFEST}"
    value = json.loads(store.get(path))
    for name in ("../../evil", "other"):
        store.put(path, json.dumps(value | {"name": name}).encode())
        with pytest.raises(FetchError, match="calls itself"):
            bring(store, tmp_path / "a/b/out")
    assert not (tmp_path / "a").exists()


def test_a_folder_of_something_else_is_left_as_it_is(released, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("x")
    for folder in ("out", "out/mine"):
        with pytest.raises(FetchError, match="holds other files: name a new folder"):
            bring(released, tmp_path / folder)
    assert tree(tmp_path) == {"out/mine": b"x"}


def test_two_at_once_into_one_folder(released, tmp_path):
    def seen(size: int) -> None:
        with pytest.raises(FetchError, match="another fetch is at work"):
            bring(released, tmp_path / "out")

    fetch(plan_fetch(released, "small"), tmp_path / "out", seen=seen, threads=1)


KILLED = """
import os, sys
from pathlib import Path
from dataproc_assets.release.fetch import fetch
from dataproc_assets.release.fetch_plan import plan_fetch
from dataproc_assets.storage.objects import ObjectStore
left = int(sys.argv[3])

def seen(size):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)

fetch(plan_fetch(ObjectStore(sys.argv[1]), "small"), Path(sys.argv[2]), threads=1, seen=seen)
"""
FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
from pathlib import Path
from dataproc_assets.release.fetch import fetch
from dataproc_assets.release.fetch_plan import plan_fetch
from dataproc_assets.storage.objects import ObjectStore
fetch(plan_fetch(ObjectStore(sys.argv[1]), "small"), Path(sys.argv[2]))
"""


def elsewhere(code: str, *arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(dataproc_assets.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("pieces", [0, 5, 12])
def test_a_killed_fetch_shows_nothing_and_goes_on(released, tmp_path, pieces):
    assert elsewhere(KILLED, released.url, tmp_path / "out", pieces).returncode == -9
    assert not (tmp_path / "out").exists()
    done = bring(released, tmp_path / "out")
    assert (done.kept > 0) == (pieces > 0)
    bring(released, tmp_path / "whole")
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]


def test_a_fetch_of_another_state_leaves_nothing_of_a_killed_one(released, tmp_path):
    elsewhere(KILLED, released.url, tmp_path / "out", 12)
    bring(released, tmp_path / "out", latents=False)
    bring(released, tmp_path / "whole", latents=False)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_full_disk_is_told_with_its_place(released, tmp_path):
    said = elsewhere(FULL, released.url, tmp_path / "out")
    assert f"{tmp_path}/.out.fetching: a file must not be larger there; make room" in said.stderr
    assert WriteError.__name__ in said.stderr
    assert not (tmp_path / "out").exists()
    bring(released, tmp_path / "out")
    assert verify(ObjectStore(str(tmp_path / "out")), "small") == []


def test_latents_of_another_state_are_not_brought(store, crawl, tmp_path):
    for path in store.list("releases")["path"]:
        store.delete(path)
    run(store, crawl)
    assert read_manifest(store, "latents/small") is not None
    assert plan_fetch(store, "small").latents is None
